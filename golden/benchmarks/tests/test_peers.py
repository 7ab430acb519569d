"""The other side runs the library's own code on the widths of Flash; what stands in for a line of it is equal to it.

Narrow modules stand in for wide ones, so that the tests stay quick.
"""

import importlib.util
import unittest
from unittest.mock import patch

from support import CASES

HAVE_LIBRARY = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
if HAVE_LIBRARY:
    import peers
    import peers_attention
    import torch
    from attention_transformers import Given, kept_calls, v4
    from model_configs import RELEASED_YARN
    from oracle_transformers import library
    from transformers import DynamicCache

NARROW = {"hidden_size": 16, "num_attention_heads": 8, "q_lora_rank": 12, "o_lora_rank": 4, "moe_intermediate_size": 8,
          "index_n_heads": 2}  # fmt: skip


def narrow(kind="sliding", **fields):
    return CONFIG(kind, **(NARROW | fields))


CONFIG = peers.config if HAVE_LIBRARY else None


@unittest.skipUnless(HAVE_LIBRARY, "torch and transformers are not installed")
class TestPeers(unittest.TestCase):
    def setUp(self) -> None:
        for module in (peers, peers_attention):
            for name, value in {"config": narrow, "WIDTH": 16, "LATENT": 12}.items():
                if hasattr(module, name):
                    patcher = patch.object(module, name, value)
                    patcher.start()
                    self.addCleanup(patcher.stop)

    def test_widths_are_those_of_flash(self) -> None:
        config = CONFIG("csa")
        names = ("hidden_size", "num_attention_heads", "head_dim", "qk_rope_head_dim", "q_lora_rank", "o_groups",
                 "o_lora_rank", "sliding_window", "index_n_heads", "index_head_dim", "index_topk", "hc_mult",
                 "moe_intermediate_size", "n_routed_experts", "num_experts_per_tok", "hc_sinkhorn_iters")
        self.assertEqual([getattr(config, name) for name in names],
                         [4096, 64, 512, 64, 1024, 8, 1024, 128, 64, 128, 512, 4, 2048, 8, 6, 20])
        rope = config.rope_parameters["compress"]
        self.assertEqual((rope["rope_type"], rope["attention_factor"], rope["factor"]),
                         ("yarn", 1.0, RELEASED_YARN["factor"]))
        self.assertEqual(config._attn_implementation, "eager")
        self.assertEqual(config._experts_implementation, "eager")

    def test_every_case_has_a_peer(self) -> None:
        known = (peers.KERNELS | peers_attention.ATTENTION).keys() | {"csa-decode"}
        self.assertEqual(known, CASES.keys())

    def test_sinkhorn_lines_are_the_library_s(self) -> None:
        config = narrow()
        module = peers.filled(v4.DeepseekV4HyperConnection(config))
        with library(torch.float32, "softmax") as trace:
            _, combination, _ = module(3 * peers.noise(1, 50, 4, 16))
        logits, _ = trace.only("softmax")
        ours = peers.sinkhorn_combination(logits, config.hc_sinkhorn_iters, config.hc_eps)
        self.assertTrue(torch.equal(ours, combination))
        self.assertFalse(torch.equal(peers.sinkhorn_combination(logits, 19, config.hc_eps), combination))

    def test_site_is_the_layer_s_first(self) -> None:
        streams, output = peers.noise(1, 6, 4, 16), peers.noise(1, 6, 16)
        module = peers.filled(v4.DeepseekV4HyperConnection(narrow()))
        post, combination, _ = module(streams)
        wanted = post.unsqueeze(-1) * output.unsqueeze(-2) + torch.einsum("btjk,btjd->btkd", combination, streams)
        torch.testing.assert_close(peers.hyper_connection_site(6).run(), wanted)

    def test_entry_masks_are_the_library_s(self) -> None:
        for kind, tokens in (("csa", 37), ("hca", 300)):
            mask = peers_attention.entry_mask(tokens, kind)
            module = v4.COMPRESSOR_CLASSES[narrow(kind).layer_types[0]](narrow(kind))
            if kind == "csa":
                places = torch.arange(mask.shape[-1]).expand(tokens, -1)
                module.indexer = Given(torch.where(mask[0, 0] == 0, places, -1)[None])
            _, bias = peers.filled(module)(peers.noise(1, tokens, 16), None, peers.positions(tokens), None, 0)
            self.assertTrue(torch.equal(mask, bias), kind)

    def test_core_attention_of_a_layer(self) -> None:
        """A layer hands the function what our peer hands it: shapes of queries, keys and masks."""
        for kind in ("csa", "hca", "sliding"):
            calls = []
            with patch.object(v4, "eager_attention_forward", side_effect=RuntimeError) as eager:
                for peer in (peers_attention.layer(kind)(260), peers_attention.core(kind)(260)):
                    with self.assertRaises(RuntimeError):
                        peer.run()
                    calls.append(eager.call_args.args[1:5])
            (_, *of_layer), (queries, *of_core) = calls
            self.assertEqual(tuple(queries.shape), (1, 64, 260, 512))
            self.assertEqual([tensor.shape for tensor in of_layer], [tensor.shape for tensor in of_core], kind)
            if kind != "csa":  # where the selection of the layer is that of its random scores, in part
                self.assertTrue(torch.equal(of_layer[2], of_core[2]), kind)

    def test_filled_cache_is_as_the_library_leaves_it(self) -> None:
        for tokens in (3, 130, 131):
            settings = narrow("csa")
            cache, module = DynamicCache(config=settings), peers.filled(v4.DeepseekV4Attention(settings, 0))
            hidden, places = peers.noise(1, tokens, 16), peers.positions(tokens)
            module(hidden, peers_attention.angles(settings, places), places,
                   peers_attention.window_mask(settings, hidden), cache)
            theirs, ours = cache.layers[0], peers_attention.filled_cache(settings, tokens).layers[0]
            self.assertEqual((theirs.keys.shape, theirs.cumulative_length, theirs.entry_count),
                             (ours.keys.shape, ours.cumulative_length, ours.entry_count))
            for name in ("buffer_kv", "buffer_gate", "compressed_kv"):
                shapes = [{key: value.shape for key, value in getattr(one, name).items()} for one in (theirs, ours)]
                self.assertEqual(*shapes, f"{name} after {tokens}")
            if tokens > 3:
                self.assertEqual(theirs.overlap_kv["indexer"].shape, ours.overlap_kv["indexer"].shape)

    def test_decoding_starts_anew(self) -> None:
        peer = peers_attention.decode(203)  # the token completes a block
        first = peer._timed()[1]
        self.assertTrue(torch.equal(peer._timed()[1], first))
        without_reset = peers_attention.Peer(peer.run)
        self.assertFalse(torch.equal(without_reset._timed()[1], first))

    def test_decoding_attends_to_the_entries(self) -> None:
        """The scores reach every entry and key of the filled cache."""
        settings = narrow("csa")
        scorer = peers.filled(v4.DeepseekV4Attention(settings, 0)).compressor.indexer.scorer
        calls = kept_calls(scorer)
        with patch.object(v4, "DeepseekV4IndexerScorer", return_value=scorer):
            peers_attention.decode(400).warm_up()
        self.assertEqual(tuple(calls[0][1].shape), (1, 1, 100))

    def test_expert_products(self) -> None:
        for tokens in (1, 8, 512):
            work = sum(rows * columns * depth for rows, columns, depth in peers.expert_shapes(tokens))
            self.assertEqual(work, tokens * 7 * 3 * 2048 * 16)
        self.assertEqual([rows for rows, _, _ in peers.expert_shapes(512)][::2], [384] * 8 + [512])

    def test_experts_and_layers_run(self) -> None:
        for name in ("router", "experts", "csa-compressor", "hca-compressor", "indexer", "csa-layer", "hca-layer"):
            with self.subTest(name):
                self.assertGreater(peers_attention.make_peer(name, 130).warm_up(), 0)

    def test_packed_weights_are_exact_in_bfloat16(self) -> None:
        for weights in (peers.fp8_weights(), peers.fp4_weights()):
            self.assertTrue(torch.equal(weights.bfloat16().float(), weights))
        self.assertEqual(len(peers.fp4_weights().unique()), 15)

    def test_results_are_looked_at(self) -> None:
        for result in (torch.tensor([1.0, torch.nan]), torch.tensor(torch.inf), None):
            with self.assertRaises(peers.PeerError):
                peers.Peer(lambda result=result: result).warm_up()


if __name__ == "__main__":
    unittest.main()
