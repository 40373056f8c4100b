"""PyPI flagr (1.1.10) through its whole surface, against the running server."""

import os
import sqlite3
import tempfile
import unittest

import flagr
from flagr.rest import ApiException

configuration = flagr.Configuration()
configuration.host = os.environ["FEATURED_FLAGR_URL"]
client = flagr.ApiClient(configuration)
called = set()


class Recorder:
    """One of the client's APIs; what is called of it is written down, for the last test."""

    def __init__(self, api):
        self._api = api

    def __getattr__(self, method):
        called.add((type(self._api).__name__, method))
        return getattr(self._api, method)


flags = Recorder(flagr.FlagApi(client))
variants = Recorder(flagr.VariantApi(client))
segments = Recorder(flagr.SegmentApi(client))
constraints = Recorder(flagr.ConstraintApi(client))
distributions = Recorder(flagr.DistributionApi(client))
tags = Recorder(flagr.TagApi(client))
evaluation = Recorder(flagr.EvaluationApi(client))
export = Recorder(flagr.ExportApi(client))


class FlagrTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        body = flagr.CreateFlagRequest(key="python-checkout", description="New checkout")
        cls.flag = flags.create_flag(body)

    def refused(self, status, text, call, *arguments, **named):
        with self.assertRaises(ApiException) as caught:
            call(*arguments, **named)
        self.assertEqual(caught.exception.status, status, caught.exception.body)
        self.assertIn(text, caught.exception.body)

    def test_1_health_and_flags(self):
        self.assertEqual(Recorder(flagr.HealthApi(client)).get_health().status, "OK")
        number = self.flag.id
        self.assertFalse(self.flag.enabled)
        self.assertEqual(self.flag.updated_at.tzinfo.utcoffset(None).total_seconds(), 0)
        changed = flags.put_flag(number, flagr.PutFlagRequest(description="Changed", data_records_enabled=True))
        self.assertEqual((changed.description, changed.data_records_enabled), ("Changed", True))
        self.assertEqual(flags.get_flag(number).description, "Changed")
        self.assertEqual([one.id for one in flags.find_flags(key="python-checkout")], [number])
        self.assertEqual([one.id for one in flags.find_flags(description_like="CHANG", limit=5, offset=0)][-1], number)
        self.assertIsInstance(flags.get_flag_entity_types(), list)
        self.refused(404, "unable to find flag 987654", flags.get_flag, 987654)
        again = flagr.CreateFlagRequest(key="python-checkout", description="again")
        self.refused(400, "flag key already exists", flags.create_flag, again)

    def test_2_an_evaluation_is_made_of_parts(self):
        number = self.flag.id
        control = variants.create_variant(number, flagr.CreateVariantRequest(key="control"))
        blue = variants.create_variant(number, flagr.CreateVariantRequest(key="blu", attachment={"color": "blue"}))
        blue = variants.put_variant(number, blue.id, flagr.PutVariantRequest(key="blue"))
        self.assertEqual(blue.attachment, {"color": "blue"})
        spare = variants.create_variant(number, flagr.CreateVariantRequest(key="spare"))
        variants.delete_variant(number, spare.id)
        self.assertEqual([one.key for one in variants.find_variants(number)], ["control", "blue"])

        segment = segments.create_segment(number, flagr.CreateSegmentRequest(description="Germans", rollout_percent=50))
        segment = segments.put_segment(
            number, segment.id, flagr.PutSegmentRequest(description="Germans", rollout_percent=100)
        )
        self.assertEqual((segment.rank, segment.rollout_percent), (999, 100))
        other = segments.create_segment(number, flagr.CreateSegmentRequest(description="Other", rollout_percent=1))
        segments.put_segments_reorder(number, flagr.PutSegmentReorderRequest(segment_i_ds=[other.id, segment.id]))
        self.assertEqual([one.id for one in segments.find_segments(number)], [other.id, segment.id])
        segments.delete_segment(number, other.id)

        made = constraints.create_constraint(
            number, segment.id, flagr.CreateConstraintRequest(_property="country", operator="EQ", value='"FR"')
        )
        constraints.put_constraint(
            number, segment.id, made.id, flagr.CreateConstraintRequest(_property="country", operator="EQ", value='"DE"')
        )
        extra = constraints.create_constraint(
            number, segment.id, flagr.CreateConstraintRequest(_property="age", operator="GT", value="18")
        )
        constraints.delete_constraint(number, segment.id, extra.id)
        self.assertEqual([one.value for one in constraints.find_constraints(number, segment.id)], ['"DE"'])
        bad = flagr.CreateConstraintRequest(_property="country", operator="EQ", value="DE")
        self.refused(400, "quotes", constraints.create_constraint, number, segment.id, bad)

        def shares(*pairs):
            return flagr.PutDistributionsRequest(
                [flagr.Distribution(percent=p, variant_id=v.id, variant_key=v.key) for v, p in pairs]
            )

        self.refused(400, "percent 90 is not 100", distributions.put_distributions, number, segment.id, shares((blue, 90)))
        distributions.put_distributions(number, segment.id, shares((control, 0), (blue, 100)))
        found = distributions.find_distributions(number, segment.id)
        self.assertEqual([(one.variant_key, one.percent) for one in found], [("control", 0), ("blue", 100)])
        self.refused(400, "still has non-zero distribution 100", variants.delete_variant, number, blue.id)
        self.assertTrue(flags.set_flag_enabled(number, flagr.SetFlagEnabledRequest(enabled=True)).enabled)

        tag = tags.create_tag(number, flagr.CreateTagRequest(value="python"))
        gone = tags.create_tag(number, flagr.CreateTagRequest(value="gone"))
        tags.delete_tag(number, gone.id)
        self.assertEqual([one.value for one in tags.find_tags(number)], ["python"])
        self.assertIn(tag.id, [one.id for one in tags.find_all_tags(value_like="PYTH", limit=10, offset=0)])

        context = flagr.EvalContext(
            entity_id="ann", entity_context={"country": "DE"}, flag_key="python-checkout", enable_debug=True
        )
        answer = evaluation.post_evaluation(context)
        self.assertEqual((answer.variant_key, answer.variant_attachment), ("blue", {"color": "blue"}))
        self.assertTrue(answer.eval_debug_log.segment_debug_logs[0].msg.startswith("matched all constraints."))
        self.assertEqual(answer.eval_context.entity_context, {"country": "DE"})
        blank = evaluation.post_evaluation(flagr.EvalContext(entity_id="ann", flag_id=number))
        self.assertIsNone(blank.variant_key)
        batch = evaluation.post_evaluation_batch(
            flagr.EvaluationBatchRequest(
                entities=[flagr.EvaluationEntity(entity_id="ann", entity_context={"country": "DE"})],
                flag_i_ds=[number],
                flag_keys=["python-checkout", "nobody"],
                flag_tags=["python"],
            )
        )
        told = [(row.flag_key, row.variant_key) for row in batch.evaluation_results]
        self.assertEqual(told, [("python-checkout", "blue")] * 3 + [("nobody", None)])
        empty = flagr.EvaluationBatchRequest(entities=[], flag_keys=["x"])
        self.refused(422, "entities in body should have at least 1 items", evaluation.post_evaluation_batch, empty)

    def test_3_snapshots_and_exports(self):
        number = self.flag.id
        snapshots = flags.get_flag_snapshots(number)
        self.assertGreater(len(snapshots), 10)
        self.assertEqual(snapshots[-1].flag.description, "New checkout")
        cache = export.get_export_eval_cache_json()
        self.assertIn("python-checkout", [one["Key"] for one in cache["Flags"]])
        response = export.get_export_sqlite(_preload_content=False)
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
            file.write(response.data)
            file.flush()
            rows = sqlite3.connect(file.name).execute(
                "SELECT v.key, d.percent FROM flags f JOIN segments s ON s.flag_id = f.id"
                " JOIN distributions d ON d.segment_id = s.id JOIN variants v ON v.id = d.variant_id"
                " WHERE f.key = 'python-checkout' ORDER BY v.id"
            )
            self.assertEqual(rows.fetchall(), [("control", 0), ("blue", 100)])

    def test_4_a_deleted_flag_is_gone(self):
        number = self.flag.id
        self.assertIsNone(flags.delete_flag(number))
        self.refused(404, "unable to find flag", flags.get_flag, number)

    def test_5_nothing_that_the_client_offers_was_left_out(self):
        offered = {
            (name, method)
            for name in dir(flagr)
            if name.endswith("Api")
            for method in vars(getattr(flagr, name))
            if not method.startswith("_") and not method.endswith("_with_http_info")
        }
        self.assertEqual(len({name for name, _ in offered}), 9)
        self.assertEqual(offered - called, set())


if __name__ == "__main__":
    unittest.main()
