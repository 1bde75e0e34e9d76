"""How much is on a card, and who may take it?

Gift cards, and store credit, which is a card without a number. Amounts are minor units of the card's currency.
Always: a card never goes below nothing; what is authorised is captured or released, and runs out by itself; refunds are
never more than what was captured; numbers and PINs are kept only as hashes, and a wrong PIN counts.
"""
