"""What is wrong with a field: the codes of `errors[].code`, for the document and the pages about errors."""

# In the order of a reader's questions. `detail` says more of the field in hand, and how to correct it.
FIELD_ERRORS = {
    "required": "The field is missing.",
    "null": "The field may be left out, but not be null, or is required.",
    "blank": "The text is empty.",
    "unknown_field": "There is no such field or query parameter. `detail` lists those that there are.",
    "repeated": "The query parameter is given more than once.",
    "invalid": "The type or form is wrong: a number in quotes or with a decimal point for an integer, a "
    "number for a string, something else than an object, a time without its offset.",
    "min_value": "The number is too small.",
    "max_value": "The number is too large.",
    "max_length": "The text is too long.",
    "invalid_choice": "The value is none of those that `detail` lists. Case matters.",
    "digits": "Something else than digits, blanks and dashes included, or too few or too many of them.",
    "luhn": "A card number whose last digit, its check digit, does not fit: mistyped.",
    "in_the_past": "The card's expiry month has ended everywhere on earth: 12 hours after its end in UTC.",
    "unsupported_currency": "A currency that no route of yours takes. `detail` lists those that have one.",
    "dots": "An id that is `.` or `..`, or has one between slashes: clients would resolve the address.",
    "invisible": "An id with blanks or other than visible ASCII characters.",
    "unprintable": "A text with control characters.",
    "null_characters_not_allowed": "A text with a null character.",
    "surrogate_characters_not_allowed": "A text with half of a surrogate pair, which is no Unicode.",
    "card_number": "A card number where none belongs: only `card.number` takes one.",
    "not_email": "Not an e-mail address.",
    "too_many": "More keys in `metadata` than the 20 that it takes.",
    "not_a_cursor": "Not a cursor of this API: follow `next` and `previous` as they are.",
}
