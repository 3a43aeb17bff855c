import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_facade.router import BadPath, Match, MethodNotAllowed, NoRoute, RouteConflict, Router
from rest_facade.routes import Parameter, Route, segments


def route(verb, template):
    return Route("test", verb, template, f"svc.{verb}{template}")


def templates(router, verb, path):
    found = router.resolve(verb, path)
    return (found.route.template, found.values) if isinstance(found, Match) else found


def test_literal_beats_parameter_and_rest():
    """The most special template wins, whatever the order of registration."""
    router = Router([route("GET", t) for t in ("/e/{rest=**}", "/e/{id}", "/e/runs", "/e/runs/{id}")])

    assert templates(router, "GET", "/e/runs") == ("/e/runs", {})
    assert templates(router, "GET", "/e/x") == ("/e/{id}", {"id": "x"})
    assert templates(router, "GET", "/e/runs/1") == ("/e/runs/{id}", {"id": "1"})
    assert templates(router, "GET", "/e/x/y%2Fz") == ("/e/{rest=**}", {"rest": "x/y%2Fz"})


def test_goes_back_to_a_parameter_when_the_literal_leads_nowhere():
    """A literal that matches at first does not hide a parameter that matches to the end."""
    router = Router([route("GET", "/a/b/c"), route("GET", "/a/{x}/d")])

    assert templates(router, "GET", "/a/b/d") == ("/a/{x}/d", {"x": "b"})


def test_verb_of_a_less_special_template_is_found():
    """A literal without the verb does not turn a request that a parameter takes into a 405."""
    router = Router([route("POST", "/e/runs"), route("GET", "/e/{id}")])

    assert templates(router, "GET", "/e/runs") == ("/e/{id}", {"id": "runs"})
    assert templates(router, "PUT", "/e/runs") == MethodNotAllowed(("GET", "HEAD", "OPTIONS", "POST"))


def test_head_is_get_and_star_is_everything_else():
    """HEAD finds the GET route; a `*` route takes what no other route of the path takes."""
    router = Router([route("GET", "/a"), route("*", "/p/{rest=**}"), route("GET", "/p/{rest=**}")])

    assert router.resolve("HEAD", "/a").route.verb == "GET"
    assert router.resolve("HEAD", "/p/x").route.verb == "GET"
    assert router.resolve("PURGE", "/p/x").route.verb == "*"


def test_what_a_path_takes_is_as_its_dialect_says():
    """HEAD where GET does, or not at all; OPTIONS everywhere. `Allow` says the same."""
    without = Router([route("GET", "/a"), route("POST", "/b")], head=False)
    assert templates(without, "HEAD", "/a") == MethodNotAllowed(("GET", "OPTIONS"))
    assert templates(without, "GET", "/b") == MethodNotAllowed(("OPTIONS", "POST"))
    assert templates(without, "GET", "/c") == NoRoute()
    both = Router([route("GET", "/a")])
    assert templates(both, "HEAD", "/a") == ("/a", {})
    assert templates(both, "PUT", "/a") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))


@pytest.mark.parametrize("path", ["/a/", "/a//b", "//a/b", "/a/b/", "/", "", "a/b", "/A/b", "/a/b/c"])
def test_other_paths_are_no_route(path):
    """A trailing slash, an empty segment, another case: nothing is guessed."""
    router = Router([route("GET", "/a"), route("GET", "/a/{b}")])

    assert router.resolve("GET", path) == NoRoute()


def test_trailing_slash_and_root_can_be_stated():
    """A template may end in a slash, and `/` alone is one."""
    router = Router([route("GET", "/"), route("GET", "/a/{b}/")])

    assert templates(router, "GET", "/") == ("/", {})
    assert templates(router, "GET", "/a/x/") == ("/a/{b}/", {"b": "x"})


@pytest.mark.parametrize(
    "part", [".", "..", "%2e", "%2E%2e", ".%2e", "%zz", "%", "%f", "a%ff", "%c3%28", "%00", "a%0ab"]
)
def test_bad_segments_are_refused(part):
    """Dot segments, broken escapes, broken UTF-8 and control characters are no values."""
    router = Router([route("GET", "/a/{b}")])

    with pytest.raises(BadPath):
        router.resolve("GET", f"/a/{part}")


@pytest.mark.parametrize(
    ("part", "value"), [("a%2Fb", "a/b"), ("%C3%A9", "é"), ("...", "..."), (".a", ".a"), ("a+b", "a+b"), ("%25", "%")]
)
def test_segments_are_decoded_after_splitting(part, value):
    """An encoded slash stays in its segment, and a plus is a plus."""
    assert Router([route("GET", "/a/{b}")]).resolve("GET", f"/a/{part}").values == {"b": value}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a/{x}", "/a/{y}"),
        ("/a", "/a"),
        ("/a/{x}/c", "/a/b/{y}"),
        ("/a/{x=**}", "/a/{y=**}"),
        ("/a/b/{r=**}", "/a/{x}/c"),
    ],
)
def test_overlaps_are_errors_that_name_both(one, other):
    """Equal and ambiguous templates of one verb are refused at construction."""
    with pytest.raises(RouteConflict) as caught:
        Router([route("GET", one), route("GET", other)])

    assert f"svc.GET{one}" in str(caught.value)
    assert f"svc.GET{other}" in str(caught.value)


@pytest.mark.parametrize("template", ["a", "/a/{b", "/a/*", "/a/{b=*}", "/{r=**}/a", "/a//b", "/{B}"])
def test_malformed_templates_are_errors(template):
    """A template that is not one is refused, not taken literally."""
    with pytest.raises(ValueError, match=r"segment|slash|goes on"):
        segments(template)


part = st.sampled_from(["a", "b", "{x}", "{y}"])
template = st.lists(part, min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(p if p in "ab" else f"{{{p[1]}{i}}}" for i, p in enumerate(parts))
)


def fits(parsed, parts):
    return len(parsed) == len(parts) and all(
        isinstance(mine, Parameter) or mine == theirs for mine, theirs in zip(parsed, parts, strict=True)
    )


def naive(routes, verb, path):
    parts = path[1:].split("/")
    fitting = [r for r in routes if fits(segments(r.template), parts)]
    of_verb = [r for r in fitting if r.verb == verb]
    if of_verb:
        return max(of_verb, key=lambda r: [isinstance(s, str) for s in segments(r.template)])
    return sorted({r.verb for r in fitting})


@given(
    st.lists(st.tuples(st.sampled_from(["GET", "POST"]), template), max_size=8),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4),
)
def test_agrees_with_a_naive_matcher(specs, path):
    """The trie finds what trying every template finds."""
    routes = []
    for spec in specs:
        try:
            Router([*routes, route(*spec)])
        except RouteConflict:
            continue
        routes.append(route(*spec))
    router = Router(routes)
    for verb in ("GET", "POST", "DELETE"):
        found = router.resolve(verb, "/" + "/".join(path))
        expected = naive(routes, verb, "/" + "/".join(path))
        if isinstance(expected, Route):
            assert found.route == expected
        elif expected:
            assert sorted(set(found.allow) - {"HEAD", "OPTIONS"}) == expected
        else:
            assert found == NoRoute()


def test_conflicts_are_exactly_the_ambiguous_pairs():
    """Over all short templates, a pair is refused if and only if some path has no single best template."""
    shapes = [shape for n in (1, 2, 3) for shape in itertools.product(["a", "b", "{x}"], repeat=n)]
    paths = [path for n in (1, 2, 3) for path in itertools.product(["a", "b", "c"], repeat=n)]
    for one, other in itertools.combinations(shapes, 2):
        mine, theirs = (
            "/" + "/".join(part.replace("x", f"x{index}") for index, part in enumerate(shape)) for shape in (one, other)
        )
        pairs = list(zip(one, other, strict=False))
        more = any(a != "{x}" and b == "{x}" for a, b in pairs)
        less = any(a == "{x}" and b != "{x}" for a, b in pairs)
        shared = any(fits(segments(mine), path) and fits(segments(theirs), path) for path in paths)
        try:
            Router([route("GET", mine), route("GET", theirs)])
            refused = False
        except RouteConflict:
            refused = True
        assert refused == (shared and more == less), (mine, theirs)
