"""Comparisons: what passes, what is printed, and all that has to fail."""

import contextlib
import io
import unittest
from typing import Any

import numpy as np
from study import Mismatch, compare, number, published


class Compare(unittest.TestCase):
    def printed(self, *arguments: Any, **named: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            compare("it", *arguments, **named)
        return output.getvalue()

    def fails(self, sentence: str, *arguments: Any) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as output, self.assertRaisesRegex(Mismatch, sentence):
            compare("it", *arguments)
        self.assertEqual(output.getvalue(), "")

    def test_a_match_prints_both(self) -> None:
        line = "it [2]: computed 1 … 2 m, stored 1 … 2.001 m, difference 0.001 (allowed 0.01): match\n"
        self.assertEqual(self.printed([1.0, 2.0], [1.0, 2.001], 0.01, "m"), line)

    def test_the_label_stands_for_what_it_is_compared_with(self) -> None:
        self.assertEqual(self.printed(1, 1, 0, label="by hand"),
                         "it: computed 1, by hand 1, difference 0 (allowed 0): match\n")

    def test_rounding_of_a_machine_is_not_printed(self) -> None:
        for difference in (0.0, 1e-16, 3e-13):
            self.assertIn("difference ≤ 1e-12 (", self.printed(1.0, 1.0 + difference, 1e-9))
        self.assertIn("difference 0 (", self.printed(3, 3, 0))

    def test_other_numbers_fail(self) -> None:
        self.fails("NO MATCH", 1.0, 1.1, 0.01)
        self.fails("NO MATCH", [1, 2, 3], [1, 2, 4], 0)

    def test_nan_fails_on_either_side_and_on_both(self) -> None:
        for computed, stored in ((np.nan, 1.0), (1.0, np.nan), (np.nan, np.nan)):
            self.fails("there is a NaN", computed, stored, 1e9)

    def test_another_shape_fails(self) -> None:
        self.fails(r"shape \[2\], stored \[2, 1\]", [1.0, 2.0], [[1.0], [2.0]], 1.0)
        self.fails("shape", 1.0, [1.0, 1.0], 1.0)

    def test_nothing_to_compare_fails(self) -> None:
        self.fails("there are no values", [], [], 1.0)

    def test_infinite_values_have_to_stand_in_the_same_places(self) -> None:
        self.assertIn("match", self.printed([-np.inf, 1.0], [-np.inf, 1.0], 0))
        for computed in ([np.inf, 1.0], [0.0, 1.0], [-np.inf, np.inf]):
            self.fails("infinite", computed, [-np.inf, 1.0], 1e9)

    def test_no_tolerance_fails(self) -> None:
        for tolerance in (np.nan, np.inf, -1.0):
            self.fails("tolerance", 1.0, 1.0, tolerance)

    def test_what_is_no_number_fails(self) -> None:
        for value in ("1", 1j, None):
            self.fails("no real number", value, value, 0)


class Published(unittest.TestCase):
    def test_rounds_to_the_step(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            published("share", 26.5, 27, 1, "%")
            published("share", 27.4999, 27, 1, "%", label="documented")
        self.assertEqual(output.getvalue().splitlines(), [
            "share: computed 26.5 % -> published 27 % -> match",
            "share: computed 27.4999 % -> documented 27 % -> match"])

    def test_what_rounds_to_another_number_fails(self) -> None:
        for computed in (26.49, 27.51, -27):
            self.assertRaises(Mismatch, published, "share", computed, 27, 1)

    def test_what_is_no_finite_number_fails(self) -> None:
        for arguments in ((np.nan, 27, 1), (27, np.nan, 1), (27, np.inf, 1), (27, 27, 0), (27, 27, -1), ([27], 27, 1),
                          ([], 27, 1), (27, 27, np.nan)):
            self.assertRaises(Mismatch, published, "share", *arguments)


class Number(unittest.TestCase):
    def test_six_digits_at_most(self) -> None:
        self.assertEqual([number(x) for x in (1, 0.1, 1234567.0, 1 / 3)], ["1", "0.1", "1.23457e+06", "0.333333"])


if __name__ == "__main__":
    unittest.main()
