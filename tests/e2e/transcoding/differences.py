"""Where Envoy's `grpc_json_transcoder` and our REST API differ, and why. Everything that is not here is the same.

`test_transcoding.py` fails for a difference that is not listed, and for one that is and no longer occurs.
"""

from typing import NamedTuple

FORMS = {
    "success_status": "Envoy's success is always 200; ours is the one that the rpc states: 201 for what was made",
    "no_content": "Envoy writes an empty message as `{}`; where there is nothing to tell, ours is 204 without a body",
    "response_body": "Envoy starts with no `response_body` but HttpBody's, so its descriptors have none: a resource"
    " that ours answers bare comes inside its member",
    "inline": "The option FORM_INLINE, which Envoy does not know: members that ours has beside the others are nested",
    "merged": "The option FORM_MERGED, which Envoy does not know: a map of its own where ours adds to another one",
    "document": "The option FORM_DOCUMENT, which Envoy does not know: base64 of the JSON that ours writes as it is",
    "body": "The option FORM_BODY, which Envoy does not know: base64 of the body that ours writes as JSON or text",
    "decimal": "The option FORM_DECIMAL, which Envoy does not know: a string where ours has a number, digit by digit",
    "enum_word": "Proto JSON has the names of the proto; ours has the words of the API's reference: `admin`, not"
    " `ROLE_ADMIN`. So in requests: each refuses the other's",
    "integer": "Proto JSON has 64-bit integers as strings; ours are numbers, as the API's reference has them",
    "null": "Envoy leaves out what is not set; ours tells it as null, so that answers always have the same members",
    "fraction": "Proto JSON has as few digits of a second as it takes, in threes; ours has six or none",
    "null_clears": "Proto JSON reads null as absent; in an update of ours it clears the member, which over gRPC takes"
    " `update_mask`",
}
"""How the same answer or request is written, by the name that `forms.py` knows it by."""

PASSES = "passes"
"""Envoy finds nothing wrong and calls the rpc."""


class Refusal(NamedTuple):
    """What becomes of a bad request: the status of ours, that of Envoy or PASSES, and why they differ."""

    ours: int
    theirs: int | str
    reason: str


REFUSALS = {
    "unknown_member": Refusal(400, PASSES, "A member that nobody knows is a mistake: ours names it"),
    "member_twice": Refusal(400, PASSES, "Parsers differ in which of the two they take: ours takes neither"),
    "integer_as_text": Refusal(400, PASSES, "Proto JSON takes numbers as strings; ours are numbers"),
    "integer_with_fraction": Refusal(400, PASSES, "Proto JSON takes 5.0 as 5; ours is strict"),
    "text_for_truth": Refusal(400, PASSES, "Envoy takes `yes` and its like for true; ours takes true and false"),
    "media_type": Refusal(415, PASSES, "Browsers send forms and text across origins unasked, JSON they do not"),
    "unasked_body": Refusal(400, PASSES, "A body where none belongs would be ignored: ours says so"),
    "parameter_without_value": Refusal(400, PASSES, "Envoy drops a parameter that has no `=`; ours reads it"),
    "parameter_of_the_path": Refusal(
        400, PASSES, "Envoy lets a parameter overrule the path; ours knows no such parameter"
    ),
    "parameter_not_utf8": Refusal(400, PASSES, "Envoy writes the bytes into text, which the core cannot read"),
    "path_not_utf8": Refusal(400, PASSES, "Envoy writes the bytes into text, which the core cannot read"),
    "nul_in_path": Refusal(400, PASSES, "No path of ours has control characters; the core refuses what it is given"),
    "slash_at_the_end": Refusal(404, PASSES, "Envoy takes `/keys/` for `/keys`; a path of ours is one path"),
    "other_verb": Refusal(405, 404, "Envoy knows no path without its verb; ours tells which verbs there are, in Allow"),
    "malformed_by_nobody": Refusal(401, 400, "Ours asks who calls before it looks at a request; Envoy parses first"),
    "malformed_by_a_viewer": Refusal(403, 400, "Ours asks who calls before it looks at a request; Envoy parses first"),
    "malformed_for_anothers": Refusal(404, 400, "Ours says nothing of what is not the caller's; Envoy parses first"),
}
"""By the names of `faults.py`."""
