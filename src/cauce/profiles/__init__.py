"""Who is that? Everything known of a person, as the sum of what is known by each identifier.

In: passages with their subject set by `identity`, decisions about traits, survivorship, stewards' words and erasure.
Out: strands (one per subject), the timeline; on reading: golden record, computed traits, consents, all of any moment.
Always: a strand is an order-independent fold (a commutative monoid), so any batch cut and any order of arrival give
the same strand; a profile is the sum of its identifiers' strands, so merging and splitting people moves nothing;
a computed trait has one definition and two forms, live and bulk, that agree for everybody.
"""
