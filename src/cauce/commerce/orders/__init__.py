"""What was ordered, where is each part of it, and what was paid?

In: orders placed in any channel, facts of other platforms, payments as their provider tells them, and the work of
stores and warehouses, step by step.
Out: one order with one history for all channels; stock that is held for it, and what happened as facts of the river.
Always: the amounts of a line in its states sum to what was ordered; nothing changes its state but by a row of the table
of transitions, and each change is an entry of a history that cannot be rewritten; what is promised is held in the
ledger, and given back exactly when it is cancelled; refunds never exceed what was captured.
"""
