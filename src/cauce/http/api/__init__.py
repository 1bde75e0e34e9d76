"""The API: everything that the console can do, over HTTP, for programs.

One table says what there is (`table.OPERATIONS`, one file per resource); the routes, the OpenAPI document, the page at
`/docs/api` and the reference are all made from it, so they cannot differ.
In: a request with a token. Out: a typed answer (`cauce.client.types`), or a refusal of one form.
Always holds: an operation that its token's permissions do not cover is not carried out; every look at a person and
every change leaves an entry in the audit trail (holds of stock leave theirs in the ledger).
"""
