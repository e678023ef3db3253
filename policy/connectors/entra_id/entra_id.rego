# METADATA
# title: Entra ID
# description: |
#   The directory: users, groups and who belongs to them. Persons are pseudonyms;
#   their place in the organisation and the state of their account stay.
package graphveil.connectors.entra_id

import data.graphveil.directory
import data.graphveil.errors

# METADATA
# title: permissions
# description: The application permissions that an administrator grants for this connector.
permissions := directory.permissions

# METADATA
# title: users
# description: Lists users.
endpoints["users"] := directory.users

# METADATA
# title: users_delta
# description: Lists users that changed.
endpoints["users_delta"] := directory.users_delta

# METADATA
# title: users_count
# description: Counts users.
endpoints["users_count"] := directory.users_count

# METADATA
# title: user
# description: Reads one user.
endpoints["user"] := directory.user_by_id

# METADATA
# title: groups
# description: Lists groups.
endpoints["groups"] := directory.groups

# METADATA
# title: groups_delta
# description: Lists groups that changed.
endpoints["groups_delta"] := directory.groups_delta

# METADATA
# title: groups_count
# description: Counts groups.
endpoints["groups_count"] := directory.groups_count

# METADATA
# title: group
# description: Reads one group.
endpoints["group"] := directory.group_by_id

# METADATA
# title: group_members
# description: Lists the members of a group, of any kind.
endpoints["group_members"] := directory.group_members

# METADATA
# title: group_members_count
# description: Counts the members of a group.
endpoints["group_members_count"] := directory.group_members_count

# METADATA
# title: group_member_users
# description: Lists the members of a group that are users.
endpoints["group_member_users"] := directory.group_member_users

# METADATA
# title: me
# description: Says why `/me` is not served.
refusals["me"] := errors.me

# METADATA
# title: beta
# description: Says why beta is not served.
refusals["beta"] := errors.beta
