"""The codes of `errors[].code`: what can be wrong with a field, for the document and the problem pages."""

# Most common first. `detail` says how to correct the field in question.
FIELD_ERRORS = {
    "required": "The field is missing.",
    "null": "The field must not be null. Leave it out if it is optional.",
    "blank": "The text is empty.",
    "unknown_field": "There is no such field or query parameter. `detail` lists the known ones.",
    "repeated": "The query parameter is given more than once.",
    "invalid": "The type or format is wrong: for example an integer in quotes or with a decimal point, a "
    "number instead of a string, or a time without an offset.",
    "min_value": "The number is too small.",
    "max_value": "The number is too large.",
    "max_length": "The text is too long.",
    "invalid_choice": "The value is not one of those that `detail` lists. Case matters.",
    "digits": "The value contains characters other than digits, such as spaces or dashes, or its length is "
    "wrong.",
    "luhn": "The card number's check digit is wrong. The number was probably mistyped.",
    "in_the_past": "The time is in the past. A card has expired if its expiry month ended more than 12 "
    "hours ago in UTC, and so everywhere.",
    "unsupported_currency": "You have no route for this currency. `detail` lists the currencies you can use.",
    "dots": "The id is `.` or `..`, or has one between slashes. HTTP clients would rewrite such a URL.",
    "invisible": "The id contains spaces or characters that are not visible ASCII.",
    "unprintable": "The text contains control characters.",
    "null_characters_not_allowed": "The text contains a null character.",
    "surrogate_characters_not_allowed": "The text contains a lone surrogate, which is not valid Unicode.",
    "card_number": "The text contains a card number. Only `card.number` may contain one.",
    "not_email": "The value is not an email address.",
    "too_many": "`metadata` has more than 20 keys.",
    "not_a_cursor": "The value is not a cursor of this API. Follow `next` and `previous` unchanged.",
}
