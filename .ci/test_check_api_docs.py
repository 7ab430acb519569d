"""The rules of check_api_docs.py on symbol graphs of a few symbols: each holds for good comments and breaks for bad ones."""

import unittest
from unittest import mock

import check_api_docs
from check_api_docs import TENSOR, NotPossible, SymbolGraphs, faults, modules_of

EQUATIONS = {"(8)", "2.2-head"}
TABLE = "Steps of things.\n\n| step | source |\n| --- | --- |\n| `mix`, `head` | (8) |\n\nSteps throw `InputError` always."


def text(spelling):
    return {"kind": "text", "spelling": spelling}


TENSOR_FRAGMENT = {"kind": "typeIdentifier", "spelling": "Tensor", "preciseIdentifier": TENSOR}
ERROR = {"kind": "typeIdentifier", "spelling": "InputError"}
THROWS = [text("()"), {"kind": "keyword", "spelling": "throws"}, text("("), ERROR, text(")")]


def symbol(path, comment="", kind="method", parameters=(), returns=(), fragments=(), id=None):
    """`parameters` are names of tensors."""
    return {
        "kind": {"identifier": f"swift.{kind}"},
        "identifier": {"precise": id or path},
        "pathComponents": path.split("."),
        "names": {"title": path.split(".")[-1]},
        "docComment": {"lines": [{"text": line} for line in comment.splitlines()]},
        "functionSignature": {
            "parameters": [{"name": name, "declarationFragments": [TENSOR_FRAGMENT]} for name in parameters],
            "returns": list(returns),
        },
        "declarationFragments": list(fragments),
    }


def found(*symbols, relationships=(), module="Tensors", exceptions=None):
    """The faults of these symbols beside a Tensor that has none."""
    tensor = symbol("Tensor", "Numbers.", kind="struct", id=TENSOR)
    graph = {
        "module": {"name": module},
        "symbols": [tensor, *symbols],
        "relationships": [
            {"kind": kind, "source": source, "target": target} for kind, source, target in relationships
        ],
    }
    with (
        mock.patch.object(check_api_docs, "COMPONENTS", ("Tensors",) if module == "Tensors" else ()),
        mock.patch.object(check_api_docs, "EXCEPTIONS", exceptions or {}),
    ):
        return list(faults(SymbolGraphs([graph]), [module], EQUATIONS))


def found_in_step(requirement="", default="", table=TABLE, **more):
    """The faults of the step `mix(_:)`, whose requirement and default implementation have these comments."""
    return found(
        symbol("MixSteps", table, kind="protocol"),
        symbol("MixSteps.mix(_:)", requirement, id="requirement", **more),
        symbol("MixSteps.mix(_:)", default, id="default", **more),
        relationships=[
            ("requirementOf", "requirement", "MixSteps"), ("memberOf", "default", "MixSteps"),
            ("defaultImplementationOf", "default", "requirement"),
        ],
    )  # fmt: skip


class CommentTests(unittest.TestCase):
    def test_types_and_functions_need_one(self):
        for kind in ["struct", "class", "enum", "protocol", "func", "init", "method", "type.method"]:
            self.assertEqual(found(symbol("a", "What it is for.", kind=kind)), [], kind)
            self.assertIn("has no comment", found(symbol("a", kind=kind))[0])
            self.assertIn("has no comment", found(symbol("a", "  \n", kind=kind), module="Other")[0])

    def test_properties_cases_operators_and_plain_initializers_do_not(self):
        for kind in ["property", "enum.case", "func.op"]:
            self.assertEqual(found(symbol("a", kind=kind)), [])
        self.assertEqual(found(symbol("A.init()", kind="init")), [])

    def test_an_unknown_kind_is_a_fault(self):
        self.assertIn("no rule knows", found(symbol("a", "What.", kind="macro"))[0])


class ShapeTests(unittest.TestCase):
    def test_tensors_need_a_shape(self):
        self.assertEqual(found(symbol("f(_:)", "From `[T, d]`.", parameters=["x"])), [])
        for comment in ["From a tensor.", "From [T, d].", 'The letters `["T"]`.', "See `[T, d`."]:
            self.assertIn("states no shape", found(symbol("f(_:)", comment, parameters=["x"]))[0], comment)
        self.assertIn("states no shape", found(symbol("f()", "Makes one.", returns=[TENSOR_FRAGMENT]))[0])

    def test_only_in_components_and_where_tensors_are(self):
        self.assertEqual(found(symbol("f(_:)", "From a tensor.", parameters=["x"]), module="Other"), [])
        self.assertEqual(found(symbol("f()", "Counts.")), [])

    def test_an_initializer_may_leave_it_to_properties(self):
        def made(comment):
            return found(
                symbol("A", "Weights.", kind="struct"),
                symbol("A.gate", comment, kind="property"),
                symbol("A.init(gate:)", "Weights as they are.", kind="init", parameters=["gate"]),
                relationships=[("memberOf", "A.gate", "A"), ("memberOf", "A.init(gate:)", "A")],
            )

        self.assertEqual(made("w1, `[f, d]`"), [])
        self.assertIn("states no shape", made("w1")[0])


class ThrowsTests(unittest.TestCase):
    def test_what_throws_says_so(self):
        good = "Reads.\n\n- Throws: `InputError` if it is\n  wrong."
        self.assertEqual(found(symbol("f()", good, fragments=THROWS)), [])
        for comment in ["Reads.", "Reads. Throws: `InputError`", "Reads.\n- Throws:", "Reads.\n- Throws: an error."]:
            self.assertIn("no `- Throws:`", found(symbol("f()", comment, fragments=THROWS))[0], comment)

    def test_any_error_needs_no_type(self):
        self.assertEqual(found(symbol("f()", "Reads.\n- Throws: what reading throws.", fragments=THROWS[:2])), [])

    def test_a_closure_that_throws_does_not_count(self):
        closure = [text("f(body: ()"), THROWS[1], text(" -> ())")]
        self.assertEqual(found(symbol("f(body:)", "Runs.", fragments=closure)), [])

    def test_a_step_may_leave_it_to_its_protocol(self):
        self.assertEqual(found_in_step("Mixes.", fragments=THROWS), [])
        silent = TABLE.replace("Steps throw `InputError`", "Nothing happens")
        self.assertIn("no `- Throws:`", found_in_step("Mixes.", table=silent, fragments=THROWS)[0])


class SourceTests(unittest.TestCase):
    def test_a_step_cites_itself_or_its_row_does(self):
        self.assertEqual(found_in_step("Mixes."), [])
        bare = TABLE.replace("(8)", "what is mixed")
        for comment in ["Eq. (8).", "The head (2.2-head).", "As in report 2.2."]:
            self.assertEqual(found_in_step("Mixes.", comment, table=bare), [], comment)
        for comment in ["Mixes.", "Eq. (9).", "2.2-heads", "Mixes.\n```\n(8)\n```"]:
            self.assertEqual(len(found_in_step(comment, table=bare)), 2, comment)
            self.assertIn("cites a source", found_in_step(comment, table=bare)[0])

    def test_a_row_of_another_step_does_not_count(self):
        self.assertIn("cites a source", found_in_step("Mixes.", table=TABLE.replace("`mix`", "`mixed`"))[0])

    def test_members_that_are_no_steps_need_none(self):
        self.assertEqual(
            found(
                symbol("MixSteps", "Steps.", kind="protocol"), symbol("MixSteps.mixed()", "Mixes."),
                relationships=[("memberOf", "MixSteps.mixed()", "MixSteps")],
            ),
            [],
        )  # fmt: skip


class WholeTests(unittest.TestCase):
    def test_exceptions_hold_and_are_needed(self):
        exceptions = {("comment", "Tensors", "a"): "it is known"}
        self.assertEqual(found(symbol("a"), exceptions=exceptions), [])
        self.assertIn("is needless", found(symbol("a", "What."), exceptions=exceptions)[0])

    def test_nothing_to_check_is_a_fault(self):
        empty = {"module": {"name": "Tensors"}, "symbols": [], "relationships": []}
        sentences = "\n".join(faults(SymbolGraphs([empty]), ["Tensors"], EQUATIONS))
        self.assertIn("Tensors has no public symbols", sentences)
        self.assertIn("nothing is known to be a Tensor", sentences)
        self.assertIn("the component DeepSeekV4 is no module", sentences)

    def test_modules_of_the_product(self):
        package = {"products": [{"name": "Library", "targets": ["A", "B"], "type": {"library": ["automatic"]}}]}
        self.assertEqual(modules_of(package, "Library"), ["A", "B"])
        for other in [{"products": []}, {"products": [{"name": "Library", "targets": [], "type": {"library": []}}]}]:
            with self.assertRaises(NotPossible):
                modules_of(other, "Library")


if __name__ == "__main__":
    unittest.main()
