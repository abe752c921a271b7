"""The permissions that decisions need."""

RESOLVE = "payments.resolve_operation"
APPROVE = "payments.approve_resolution"
INSTRUCT = "payments.instruct_payment"
DISABLE_KEY = "payments.disable_apikey"
ISSUE_KEY = "payments.issue_apikey"
