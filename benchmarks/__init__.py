"""Figures and how they are measured. Each prints one JSON object a line, beside a floor measured in the same run."""
