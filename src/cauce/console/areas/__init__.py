"""One module per area of the console, found by the registry: it defines `NAME` and `AREA`."""
