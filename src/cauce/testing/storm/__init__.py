"""Does commerce keep its promises while many want the same thing and its process is killed again and again?

In: a scratch folder, a seed, how long. Out: what was tried, and everything that was acknowledged and is not there,
that came twice, or that breaks an invariant (`cauce.commerce.proof`). Anyone can run it: `cauce commerce prove`.
"""
