# METADATA
# title: Custom
# description: |
#   Where a policy's own denials go: who may call what, when and how much. The
#   library adds none; this file makes the name known.
package graphveil.custom

# METADATA
# title: deny
# description: |
#   Reasons to deny a request that the endpoint would allow. A reason is a code in
#   lower case (`outside_office_hours`), which the caller and the log get to see:
#   never put a value of the request into it.
# scope: document
deny contains "never" if false
