"""Who has earned what by buying, what may it be spent on, and what is a card worth?

In: purchases of all channels with their returns, and commands of doors (redeem, adjust, issue a card, pay with it).
Out: points in lots that expire, tiers, rewards, stored value; a statement that sums up.
Always: points = sum of lots, never negative; what has expired cannot be spent; a purchase earns once whatever its
document or channel; nothing is redeemed twice; what a return takes back is never more than its purchase earned.
Points belong to identifiers and never to a person's id: what a person has is the sum over theirs, so that nothing is
moved when people turn out to be one, or two.
"""
