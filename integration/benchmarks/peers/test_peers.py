"""Tests of the parts that need no peer: the table, the pairs of a run, how tokens are cut, the native shard's index.

Those that need numpy or xxhash are skipped where these are not installed.
"""

from __future__ import annotations

import struct
import unittest

from . import rows, table
from .jobs import Job

try:
    import numpy as np
    import xxhash
except ImportError:
    np = xxhash = None

OURS = rows.Run(None, "native")
THEIRS = rows.Run("numpy", "flat")


def outcome(ours: list[float], theirs: list[float], target: rows.Target | None = None) -> table.Outcome:
    return table.Outcome(rows.Row("a/b", "a thing", OURS, THEIRS, rows.WALL, target), ours, theirs)


class TableTests(unittest.TestCase):
    def test_the_ratio_is_the_median_of_the_rounds_own_ratios(self) -> None:
        # 10/1, 10/5, 40/10: the ratio of the medians would be 2.
        self.assertEqual(outcome([1, 5, 10], [10, 10, 40]).ratio, 4)

    def test_a_least_ratio_is_reached_at_it_and_not_below(self) -> None:
        self.assertTrue(outcome([1], [2], rows.Target(least_ratio=2)).reached)
        self.assertFalse(outcome([1], [2], rows.Target(least_ratio=2.1)).reached)

    def test_a_most_own_ratio_compares_headrace_with_the_other_side(self) -> None:
        self.assertTrue(outcome([12], [10], rows.Target(most_own_ratio=1.2)).reached)
        self.assertFalse(outcome([13], [10], rows.Target(most_own_ratio=1.2)).reached)

    def test_a_most_value_asks_nothing_of_the_peer(self) -> None:
        self.assertTrue(outcome([60], [1], rows.Target(most_value=60)).reached)
        self.assertFalse(outcome([61], [1000], rows.Target(most_value=60)).reached)

    def test_a_row_without_target_is_neither_reached_nor_not(self) -> None:
        self.assertIsNone(outcome([1], [2]).reached)

    def test_a_row_that_was_not_run_says_why_and_claims_nothing(self) -> None:
        row = rows.Row("a/b", "a thing", OURS, THEIRS, rows.WALL, rows.Target(least_ratio=2))
        missing = table.Outcome(row, [], [], "numpy: not there")
        self.assertIsNone(missing.reached)
        self.assertEqual(table.line(missing)[-1], "not run: numpy: not there")
        self.assertIsNone(missing.record()["ratio"])

    def test_readings_are_shown_in_the_units_that_people_read(self) -> None:
        self.assertEqual(table.shown(2.0, rows.WALL, False), "500.0 Mtok/s")
        self.assertEqual(table.shown(2.0, rows.WALL, True), "500.0 MB/s")
        self.assertEqual(table.shown(60 * 2**20, rows.MEMORY, False), "60.0 MiB")
        self.assertEqual(table.shown(1.5e6, rows.START, False), "1.50 ms")

    def test_the_columns_of_the_table_line_up(self) -> None:
        lines = table.text([outcome([1], [2]), outcome([1000], [1], rows.Target(least_ratio=2))]).splitlines()
        place = lines[0].index("peer")
        self.assertTrue(all(line[place:].startswith("numpy memmap") for line in lines[1:]))


class RowTests(unittest.TestCase):
    def test_every_row_has_a_name_of_its_own_and_a_known_peer(self) -> None:
        keys = [row.key for row in rows.all_rows()]
        self.assertEqual(len(keys), len(set(keys)))
        for row in rows.all_rows():
            self.assertTrue(row.theirs.peer is None or row.theirs.peer in rows.PEERS)

    def test_a_job_comes_back_from_its_text(self) -> None:
        job = Job(folder="a", flat="b", scratch="c", position=0.5, names=["x"])
        self.assertEqual(Job.read(job.text()), job)

    def test_the_batches_before_a_place(self) -> None:
        self.assertEqual(Job("", "", "", position=0.5).batches_before(1001), 500)
        self.assertEqual(Job("", "", "", step=10**7).batches_before(1001), 10**7)


@unittest.skipIf(np is None, "numpy and xxhash are not installed")
class TokenTests(unittest.TestCase):
    def test_cuts_cover_every_document_once_and_grow(self) -> None:
        from .tokens import cut_places

        ends = np.cumsum(np.full(1000, 7))
        places = cut_places(ends, 22)
        self.assertEqual([place[0] for place in places[1:]], [place[1] for place in places[:-1]])
        self.assertEqual((places[0][0], places[-1][1]), (0, 1000))
        self.assertAlmostEqual((places[-1][1] - places[-1][0]) / (places[0][1] - places[0][0]), 4, delta=0.5)

    def test_too_few_documents_for_the_domains_are_refused(self) -> None:
        from .tokens import cut_places

        with self.assertRaises(ValueError):
            cut_places(np.array([5, 10]), 3)

    def test_a_piece_is_found_where_it_stands_and_nowhere_else(self) -> None:
        from .checks import pieces, stands_in

        tokens = np.array([1, 1, 1, 2, 0, 3, 4, 5, 6, 0], dtype="<u2")
        self.assertTrue(stands_in(np.array([1, 1, 2, 0], dtype="<u2"), tokens))
        self.assertFalse(stands_in(np.array([1, 2, 3, 4], dtype="<u2"), tokens))
        # Documents end with 0; what is shorter than four tokens is left out.
        found = pieces(np.array([9, 0, 3, 4, 5, 6, 0, 7]), 0)
        self.assertEqual([piece.tolist() for piece in found], [[3, 4, 5, 6, 0]])

    def test_the_index_of_a_shard_has_the_documented_layout(self) -> None:
        from .native import index

        content, checksum = index([(1 << 18, 1000, 2, 7, 0xAAAA, 5), (3, 20, 0, 8, 0xBBBB, 6)])
        # Header 40, two entries of 28, checksum 8; the seek table has three entries of 12 and a footer of 9.
        self.assertEqual(len(content), 8 + 40 + 2 * 28 + 8 + 8 + 3 * 12 + 9)
        self.assertEqual(struct.unpack_from("<II", content), (0x184D2A5D, 104))
        self.assertEqual(content[8:16], b"HEADRACE")
        self.assertEqual(struct.unpack_from("<IIQQII", content, 16), (2, 2, (1 << 18) + 3, 2, 2, 1 << 18))
        self.assertEqual(checksum, xxhash.xxh64_intdigest(content[8 : 8 + 96]))
        self.assertEqual(struct.unpack_from("<Q", content, 8 + 96), (checksum,))
        # The index's own entry: its frame's size, no content, the checksum of nothing.
        self.assertEqual(struct.unpack_from("<III", content, 112 + 8 + 24), (112, 0, 0x51D8E999))


if __name__ == "__main__":
    unittest.main()
