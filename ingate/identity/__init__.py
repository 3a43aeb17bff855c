"""Who there is: organisations, people, memberships, sessions and keys, and who a credential belongs to.

The ground floor under the features `auth`, `keys`, `orgs` and `gateway`: one sign-up touches all of these
tables in one transaction, so they stand in one place.
"""
