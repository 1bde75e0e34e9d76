"""What the codes of reasons mean, in words for people: a short name, what is wrong, and what would mend it."""

from __future__ import annotations

from typing import NamedTuple

from cauce.console.catalogues import marked


class Said(NamedTuple):
    """A code in words; all three are marked texts."""

    name: str
    wrong: str
    mend: str


_SENDER = marked("Mend the sender, and drop these entries or write the event anew.")
_SET = marked("Give the field a value that its contract allows, or change the contract.")

REASONS: dict[str, Said] = {
    # While reading
    "characters_unreadable": Said(
        marked("Unreadable characters"),
        marked("Bytes of a line are no text in the encoding that the file claims to have."),
        marked("Import the file again with its real encoding."),
    ),
    "columns_differ": Said(
        marked("Columns differ"),
        marked("The line has more or fewer fields than the header of its file."),
        marked("Look for a separator or quotation mark inside a value, and import the file again."),
    ),
    "event_name_missing": Said(
        marked("No event name"),
        marked("A `track` call says that something happened, but not what."),
        marked("Set `/event` to the name of the event, such as Order Completed."),
    ),
    "forged_blank": Said(
        marked("False trace of an erasure"),
        marked("The item looks like what an erasure leaves behind, but no erasure of this installation wrote it."),
        marked("Find out who sends it, and drop it."),
    ),
    "group_id_missing": Said(
        marked("No group id"),
        marked("A `group` call does not say which group it is about."),
        marked("Set `/groupId`."),
    ),
    "id_unreadable": Said(
        marked("Unreadable event id"),
        marked("The event id is no text."),
        marked("Write the id as text, in `/messageId`."),
    ),
    "identifier_unreadable": Said(
        marked("Unreadable identifier"),
        marked("An identifier is neither a text nor a number."),
        marked("Write the identifier as text, or remove it."),
    ),
    "invalid_utf8": Said(
        marked("Bytes are no text"),
        marked("What came is not written in UTF-8."),
        _SENDER,
    ),
    "line_broken": Said(
        marked("Broken line"),
        marked("A line of the file is cut off, or its quotation marks do not match."),
        marked("Mend the line in the file, and import it again."),
    ),
    "lone_surrogate": Said(
        marked("Half a character"),
        marked("A text holds half of a character, usually because it was cut in the middle of one."),
        marked("Remove the broken character from the text."),
    ),
    "malformed": Said(
        marked("Row of another form"),
        marked("A row does not have the form in which imports enter the log."),
        marked("Import it again with this version."),
    ),
    "nesting_too_deep": Said(
        marked("Nested too deeply"),
        marked("Objects or lists lie too deep inside one another."),
        marked("Flatten the event, or remove the part that is not needed."),
    ),
    "not_a_number": Said(
        marked("Not a number"),
        marked("A number is NaN or infinite, which JSON does not know."),
        marked("Set the field to a number, or remove it."),
    ),
    "not_an_object": Said(
        marked("Not an object"),
        marked("An item of a batch is not a JSON object."),
        _SENDER,
    ),
    "nul_character": Said(
        marked("NUL character"),
        marked("A text holds the character NUL."),
        marked("Remove the character from the text."),
    ),
    "object_expected": Said(
        marked("Not an object where one belongs"),
        marked("A part of the call (`properties`, `context`, `traits`) is something else than an object."),
        marked("Write the part as an object, or remove it."),
    ),
    "too_many_items": Said(
        marked("Too many items"),
        marked("A batch has more items than the log can number."),
        marked("Send smaller batches."),
    ),
    "unreadable": Said(
        marked("Unreadable"),
        marked("The bytes that came are no JSON, so there is no event to look at."),
        marked("Mend the text below until it is JSON, or mend the sender and drop the entry."),
    ),
    "unreadable_decision": Said(
        marked("Unreadable decision"),
        marked("A decision in the log is not of the form that this version writes."),
        marked("Decide again, with this version."),
    ),
    "value_missing": Said(
        marked("Empty column"),
        marked("A column that the mapping of the import needs is empty."),
        marked("Fill it in the file, or make it optional in the mapping, and import again."),
    ),
    "value_unknown": Said(
        marked("Untranslated value"),
        marked("A value is not among those that the mapping of the import translates."),
        marked("Add the value to the mapping, and import again."),
    ),
    "value_unreadable": Said(
        marked("Value of another kind"),
        marked("A value is not of the kind that the mapping says: a date, a number, money, yes or no."),
        marked("Correct the kind in the mapping, or the value in the file, and import again."),
    ),
    # While judging
    "type_unknown": Said(
        marked("Unknown type of call"),
        marked("The call is none of identify, track, page, screen, group and alias."),
        marked("Set `/type` to one of them."),
    ),
    "id_missing": Said(
        marked("No event id"),
        marked("The event has no id, so a repetition could not be told from a new event."),
        marked("Set `/messageId` to a text that no other event has."),
    ),
    "id_too_long": Said(
        marked("Event id too long"),
        marked("The event id is longer than 100 characters."),
        marked("Set `/messageId` to a shorter text that no other event has."),
    ),
    "identifier_missing": Said(
        marked("Nobody is named"),
        marked("The event names nobody, or none of the kinds of identifiers that its contract asks for."),
        marked("Set `/userId` or `/anonymousId`; or let the contract do without identifiers."),
    ),
    "time_in_future": Said(
        marked("In the future"),
        marked("The event claims to have happened after it was received, by more than is allowed."),
        marked("Correct `/timestamp`; the clock of the sender is probably wrong."),
    ),
    "time_too_old": Said(
        marked("Too old"),
        marked("The event lies further back than is allowed."),
        marked("Correct `/timestamp`, or raise the setting `past_days_max` and replay."),
    ),
    "event_too_large": Said(
        marked("Too large"),
        marked("The event is larger than its source may send."),
        marked("Remove what is not needed, or raise `event_bytes_max` of the source and replay."),
    ),
    "event_unknown": Said(
        marked("Unknown event"),
        marked("No contract knows an event of this name, and unknown events are not let in."),
        marked("Correct the name in `/event`, or write a contract for it and replay."),
    ),
    "property_missing": Said(
        marked("Field missing"),
        marked("A field that the contract requires is absent or empty."),
        marked("Set the field, rename the one that holds the value, or make it optional in the contract."),
    ),
    "property_unexpected": Said(
        marked("Unexpected field"),
        marked("The contract does not allow a field of this name."),
        marked("Rename or remove the field, or allow it in the contract."),
    ),
    "type_wrong": Said(
        marked("Wrong type"),
        marked("A value has another type than the contract says: a text where a number belongs, for example."),
        marked("Convert the value, or change the contract."),
    ),
    "number_as_text": Said(
        marked("Number as text"),
        marked("A number came as text. It is read all the same; the event is never kept back for it."),
        marked("Convert the text into a number."),
    ),
    "text_as_number": Said(
        marked("Text as number"),
        marked("A text came as a number. It is read all the same; the event is never kept back for it."),
        marked("Convert the number into a text."),
    ),
    "value_not_allowed": Said(
        marked("Value not allowed"),
        marked("A value is not among those that the contract lists."),
        _SET,
    ),
    "number_out_of_range": Said(
        marked("Number out of range"),
        marked("A number is below its minimum, above its maximum, or not a multiple of what the contract says."),
        _SET,
    ),
    "text_wrong_length": Said(
        marked("Text too short or too long"),
        marked("A text has fewer or more characters than the contract allows."),
        _SET,
    ),
    "pattern_mismatch": Said(
        marked("Pattern not met"),
        marked("A text does not look the way that the contract says."),
        _SET,
    ),
    "format_wrong": Said(
        marked("Wrong format"),
        marked("A text is not of its format: a date, an e-mail address, a web address."),
        _SET,
    ),
    "time_unreadable": Said(
        marked("Unreadable time"),
        marked("A text is no date or time in the ISO 8601 form."),
        marked("Write it like 2026-10-01T12:30:00Z."),
    ),
    "gtin_wrong": Said(
        marked("Wrong GTIN"),
        marked("An article number does not have 8, 12, 13 or 14 digits, or its check digit is wrong."),
        marked("Correct the number, or move it to `sku` when it is the shop's own."),
    ),
    "currency_unknown": Said(
        marked("Unknown currency"),
        marked("A currency is not one of the three-letter codes of ISO 4217."),
        marked("Set it to a code such as EUR."),
    ),
    "unit_unknown": Said(
        marked("Unknown unit"),
        marked("A unit is neither a known UCUM unit nor a known code of UN/CEFACT."),
        marked("Set it to a code such as kg, L or C62 (pieces)."),
    ),
    "list_wrong": Said(
        marked("List not as agreed"),
        marked("A list is too short or too long, repeats itself, or lacks what it must hold."),
        _SET,
    ),
    "object_wrong": Said(
        marked("Object not as agreed"),
        marked("An object has too few or too many fields, or one with a name that is not allowed."),
        _SET,
    ),
    "alternatives_unmet": Said(
        marked("No alternative holds"),
        marked("The contract leaves a choice, and the event meets none of it, or two where only one may hold."),
        marked("Add one of the fields that the contract offers, such as `product_id`, `sku` or `gtin`."),
    ),
    "contract_broken": Said(
        marked("Contract broken"),
        marked("Another rule of the contract is broken."),
        marked("Compare the event with its contract."),
    ),
    "undecoded": Said(
        marked("Not decoded"),
        marked("The connector gave neither an event nor a reason."),
        marked("Report it, and replay it with a later version."),
    ),
    "internal_error": Said(
        marked("Internal error"),
        marked("Cauce itself failed on this event, and kept it so that nothing is lost."),
        marked("Report it with its position, and replay it with a later version."),
    ),
}
"""Every code that a reason can have."""

UNKNOWN = Said(marked("Other reason"), marked("A reason that this page does not know."), _SET)

STATES = {
    "open": marked("open"),
    "replayed": marked("replayed"),
    "dropped": marked("dropped"),
    "erased": marked("erased"),
}
STATE_OF_ONE = {
    "open": marked("Open"),
    "replayed": marked("Replayed"),
    "dropped": marked("Dropped"),
    "erased": marked("Erased"),
}
STEPS = {
    "set": marked("Set a field"),
    "rename": marked("Rename a field"),
    "number": marked("Text → number"),
    "text": marked("Number → text"),
    "remove": marked("Remove a field"),
}


def said_of(code: str) -> Said:
    """A code in words."""
    return REASONS.get(code, UNKNOWN)
