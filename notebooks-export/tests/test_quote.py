"""Quoting a declaration: what is found, where it ends, what is refused."""

import tempfile
import unittest
from pathlib import Path

from study.swift_source import quotation

SOURCE = '''\
import Tensors

/// What it does.
///
/// - Returns: nothing
@inlinable
public func mix<Scalar>(
  _ x: Scalar
) throws -> Scalar {
  // A brace in a comment {
  let text = "and one in a string {"
  return x
}

public func mixer() -> Int { 1 }

protocol Steps {
  func both(
    _ x: Int
  ) -> Int

  func next()
}

extension Steps {
  func both(_ x: Int) -> Int { x }
}

struct Pair {
  /// How many.
  let count: Int
  let other: Int
}

func unfinished() {
'''


class Quote(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "A.swift").write_text(SOURCE, encoding="utf-8")

    def quoted(self, declaration: str, doc: bool = True) -> str:
        return quotation("A.swift", declaration, doc, self.root)

    def test_with_its_doc_comment_and_attributes(self) -> None:
        text = self.quoted("func mix")
        self.assertTrue(text.startswith("```swift\n/// What it does.\n///\n/// - Returns: nothing\n@inlinable\n"))
        self.assertIn("  return x\n}\n```", text)
        self.assertTrue(text.endswith("[A.swift](../A.swift), lines 3 to 13"))

    def test_without_its_doc_comment(self) -> None:
        text = self.quoted("func mix", doc=False)
        self.assertTrue(text.startswith("```swift\n@inlinable\npublic func mix"))
        self.assertTrue(text.endswith("lines 6 to 13"))

    def test_a_name_is_a_whole_word(self) -> None:
        self.assertIn("func mixer() -> Int { 1 }", self.quoted("func mixer"))
        self.assertRaises(ValueError, self.quoted, "func mi")

    def test_declarations_without_a_body(self) -> None:
        self.assertIn("```swift\n/// How many.\nlet count: Int\n```", self.quoted("let count"))
        self.assertIn("```swift\nfunc next()\n```", self.quoted("func next"))

    def test_is_not_indented(self) -> None:
        self.assertIn("```swift\nlet other: Int\n```", self.quoted("let other"))

    def test_what_is_missing_fails(self) -> None:
        with self.assertRaisesRegex(ValueError, "A.swift: 'func gone' stands nowhere"):
            self.quoted("func gone")
        self.assertRaises(OSError, quotation, "B.swift", "func mix", True, self.root)

    def test_what_is_only_mentioned_in_a_comment_is_missing(self) -> None:
        self.assertRaisesRegex(ValueError, "nowhere", self.quoted, "What it does")

    def test_what_is_ambiguous_fails(self) -> None:
        self.assertRaisesRegex(ValueError, "in lines 18, 26", self.quoted, "func both")

    def test_what_does_not_end_fails(self) -> None:
        self.assertRaisesRegex(ValueError, "has no end", self.quoted, "func unfinished")


if __name__ == "__main__":
    unittest.main()
