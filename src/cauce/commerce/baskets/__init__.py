"""What does somebody want, wherever they said so?

In: lines put in and taken out by any channel, each with an id that the client made, also late and twice.
Out: one basket and one wish list per person, found again by any of the person's identifiers, at today's prices.
Always: when two baskets meet no line is lost and none is doubled, in whatever order they meet and however often; a line
that was removed or ordered never comes back.
"""
