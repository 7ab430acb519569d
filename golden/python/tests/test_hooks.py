"""Hooks on torch modules, and on a small model of transformers."""

import os

import h5py
import numpy as np
from support import InFolder, needs

from v4oracle import TraceError, TraceWriter, hook_modules, hook_transformers

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@needs("torch")
class Modules(InFolder):
    def setUp(self):
        super().setUp()
        import torch

        self.torch, self.path = torch, self.folder / "trace.h5"
        self.model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Linear(4, 9)).bfloat16()

    def test_calls_follow_each_other(self):
        taps = {"0": ["embedding", ("streams", lambda _arguments, output: output[0][:, None].repeat(1, 2, 1))],
                "1": "logits"}
        with self.torch.no_grad(), TraceWriter(self.path) as writer, hook_modules(self.model, writer, taps):
            expected = self.model(self.torch.tensor([[1, 2, 3]]))
            self.model(self.torch.tensor([[4]]))
        with h5py.File(self.path) as file:
            self.assertEqual([call.attrs["start"] for call in file["calls"].values()], [0, 3])
            self.assertTrue(np.array_equal(file["calls/0000/logits"][()], expected[0].float()))
            self.assertEqual(file["calls/0001/streams"].shape, (1, 2, 4))
        self.assertFalse(self.model._forward_hooks or self.model[0]._forward_hooks)

    def test_refusals(self):
        def traced(taps, ids):
            with TraceWriter(self.path) as writer, hook_modules(self.model, writer, taps):
                self.model(self.torch.tensor(ids))

        with self.assertRaises(KeyError):
            traced({"1": "logit"}, [[1]])
        with self.assertRaises(AttributeError):
            traced({"5": "logits"}, [[1]])
        with self.assertRaisesRegex(TraceError, "one sequence"):
            traced({"1": "logits"}, [[1], [2]])
        with self.assertRaisesRegex(TraceError, "axes"):
            traced({"1": ("logits", lambda _arguments, output: output[0, 0])}, [[1]])
        self.assertEqual(self.names(), [])


@needs("torch", "transformers")
class Transformers(InFolder):
    def setUp(self):
        super().setUp()
        import torch
        from transformers.models.deepseek_v4.configuration_deepseek_v4 import DeepseekV4Config
        from transformers.models.deepseek_v4.modeling_deepseek_v4 import DeepseekV4ForCausalLM

        self.torch, self.path = torch, self.folder / "trace.h5"
        torch.manual_seed(1)
        kinds = ["sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"]
        self.model = DeepseekV4ForCausalLM(DeepseekV4Config(
            vocab_size=20, hidden_size=12, moe_intermediate_size=6, num_hidden_layers=3, num_attention_heads=4,
            head_dim=8, qk_rope_head_dim=4, q_lora_rank=6, o_groups=2, o_lora_rank=3, sliding_window=4,
            n_routed_experts=8, num_experts_per_tok=4, hc_mult=4, index_n_heads=2, index_head_dim=8, index_topk=1,
            layer_types=kinds, compress_rates=dict(zip(kinds[1:], (4, 8))), num_hash_layers=1,
            max_position_embeddings=64, experts_implementation="eager", attn_implementation="eager")).eval()

    def call(self, *pieces, model=None):
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        with self.torch.no_grad():
            return [(model or self.model)(input_ids=self.torch.tensor(piece), past_key_values=cache, use_cache=True)
                    for piece in pieces]

    def test_prefill_and_decode(self):
        expected = self.call([[1, 2, 3, 4, 5, 6, 7]], [[8]])
        with TraceWriter(self.path) as writer, hook_transformers(self.model, writer):
            outputs = self.call([[1, 2, 3, 4, 5, 6, 7]], [[8]])
        for output, other in zip(outputs, expected, strict=True):
            self.assertTrue(self.torch.equal(output.logits, other.logits))
        with h5py.File(self.path) as file:
            first, second = file["calls/0000"], file["calls/0001"]
            self.assertEqual((first.attrs["start"], second.attrs["start"]), (0, 7))
            self.assertEqual(set(first), set(second))
            self.assertTrue(np.array_equal(second["logits"][()], outputs[1].logits[0]))
            self.assertEqual(first["layers.1.attn.compressed_entries"].shape, (1, 8))
            self.assertEqual(first["layers.2.attn.compressed_entries"].shape, (0, 8))
            self.assertEqual(second["layers.2.attn.compressed_entries"].shape, (1, 8))
            self.assertEqual(second["layers.1.attn.indexer.scores"].shape, (1, 2))
            self.assertEqual(first["layers.1.attn.indexer.selection"][:, 0].tolist(), [-1] * 3 + [0] * 4)
            self.check_definitions(first)

    def check_definitions(self, call):
        """Relations that tell each tap from its neighbours."""
        block = {name: call[f"layers.2.{name}"][()].astype(np.float64) for name in (
            "hc_attn.streams", "ffn.output", "hc_ffn.post", "hc_ffn.combination", "hc_ffn.streams", "ffn.routed",
            "ffn.shared_experts.output", "ffn.gate.scores", "ffn.gate.indices", "ffn.gate.weights",
            "ffn.gate.selection_scores", "attn.query_heads", "attn.query_heads_normalized", "ffn.experts.gate",
            "ffn.hidden")}
        mixed = (block["hc_ffn.post"][:, :, None] * block["ffn.output"][:, None]
                 + block["hc_ffn.combination"].transpose(0, 2, 1) @ block["hc_attn.streams"])
        np.testing.assert_allclose(block["hc_ffn.streams"], mixed, atol=1e-5)
        np.testing.assert_allclose(block["ffn.output"], block["ffn.routed"] + block["ffn.shared_experts.output"][:, 0],
                                   atol=1e-6)
        indices = block["ffn.gate.indices"].astype(int)
        by_score = np.argsort(-block["ffn.gate.selection_scores"], axis=1, kind="stable")[:, :4]
        self.assertTrue(np.array_equal(indices, by_score))
        weights = np.take_along_axis(block["ffn.gate.scores"], indices, 1)
        np.testing.assert_allclose(block["ffn.gate.weights"], 1.5 * weights / weights.sum(1, keepdims=True), rtol=1e-5)
        squares = (block["attn.query_heads"] ** 2).mean(-1, keepdims=True)
        np.testing.assert_allclose(block["attn.query_heads_normalized"], block["attn.query_heads"]
                                   / np.sqrt(squares + 1e-6), rtol=1e-4, atol=1e-6)
        experts = self.model.model.layers[2].mlp.experts.gate_up_proj.detach().numpy()
        np.testing.assert_allclose(block["ffn.experts.gate"], np.einsum(
            "td,tkfd->tkf", block["ffn.hidden"], experts[indices][:, :, :6]), atol=1e-6)

    def test_slots_are_ordered_by_score_then_by_index(self):
        from v4oracle.transformers_model import slot_order

        scores = self.torch.tensor([[0.5, 2.0, 0.5, 1.0], [1.0, float("-inf"), float("-inf"), float("-inf")]])
        chosen = self.torch.tensor([[2, 0, 1], [-1, 0, -1]])
        self.assertEqual(chosen.gather(1, slot_order(scores, chosen)).tolist(), [[1, 0, 2], [0, -1, -1]])

    def test_nothing_stays_behind(self):
        from transformers.models.deepseek_v4 import modeling_deepseek_v4 as library

        rotation = library.apply_rotary_pos_emb
        with TraceWriter(self.path) as writer:
            with hook_transformers(self.model, writer):
                self.assertIsNot(library.apply_rotary_pos_emb, rotation)
                self.call([[1]])
            self.call([[1]])
            self.assertEqual(writer.calls, 1)
        self.assertIs(library.apply_rotary_pos_emb, rotation)
        for module in self.model.modules():
            self.assertFalse(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))

    def test_the_inner_model_alone(self):
        with TraceWriter(self.path) as writer, hook_transformers(self.model.model, writer):
            self.call([[1, 2]], model=self.model.model)
        with h5py.File(self.path) as file:
            self.assertIn("hidden", file["calls/0000"])
            self.assertNotIn("logits", file["calls/0000"])

    def test_generation(self):
        with TraceWriter(self.path) as writer, hook_transformers(self.model, writer):
            self.model.generate(self.torch.tensor([[1, 2, 3]]), max_new_tokens=3, min_new_tokens=3, do_sample=False)
        with h5py.File(self.path) as file:
            self.assertEqual([call.attrs["start"] for call in file["calls"].values()], [0, 3, 4])
            self.assertNotIn("logits", file["calls/0000"])  # of the last token only
            self.assertIn("logits", file["calls/0001"])

    def test_refusals(self):
        with self.assertRaisesRegex(TraceError, "one sequence"), TraceWriter(self.path) as writer, \
                hook_transformers(self.model, writer):
            self.call([[1], [2]])
        with self.assertRaisesRegex(TraceError, "padding"), TraceWriter(self.path) as writer, \
                hook_transformers(self.model, writer):
            self.model(input_ids=self.torch.tensor([[1, 2]]), attention_mask=self.torch.tensor([[0, 1]]))
        with self.assertRaisesRegex(TraceError, "no DeepSeek-V4"), TraceWriter(self.path) as writer, \
                hook_transformers(self.torch.nn.Linear(1, 1), writer):
            pass
        self.assertEqual(self.names(), [])
