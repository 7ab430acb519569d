// The table of one instruction set: the last lines of each file that includes the kernels.

const v4_kernels V4_NAME(v4_kernels) = {
    .name = V4_TEXT,
    .lanes = V4_LANES,
    .limits = {.multiply_adds = V4_NAME(multiply_adds), .copy_past_caches = V4_NAME(copy_past_caches)},
    .linear =
        {
            .tile_outputs = 2 * V4_LANES,
            .multiply_scratch = V4_NAME(multiply_scratch),
            .multiply = V4_NAME(multiply),
            .flat = V4_NAME(flat),
        },
    .streams =
        {
            .mix_columns = V4_MIX_COLUMNS,
            .mix_tokens = V4_MIX_TOKENS,
            .mix_packed = V4_NAME(mix_packed),
            .pack_mixes = V4_NAME(pack_mixes),
            .mix_sums = V4_NAME(mix_sums),
            .mixes = V4_NAME(mixes),
            .weighted_sum = V4_NAME(weighted_sum),
            .post_mix = V4_NAME(post_mix),
            .sinkhorn_scratch = V4_NAME(sinkhorn_scratch),
            .sinkhorn = V4_NAME(sinkhorn),
        },
    .elementwise =
        {
            .rms_norm = V4_NAME(rms_norm),
            .rotate = V4_NAME(rotate),
            .affinity = V4_NAME(affinity),
            .gated_product = V4_NAME(gated_product),
            .scale_and_shift = V4_NAME(scale_and_shift),
            .gate = V4_NAME(gate),
            .add = V4_NAME(add),
            .hadamard = V4_NAME(hadamard),
            .pool = V4_NAME(pool),
        },
    .attention = {.scratch = V4_NAME(attend_scratch), .attend = V4_NAME(attend)},
    .indexer =
        {
            .queries = V4_NAME(queries),
            .scratch = V4_NAME(scores_scratch),
            .scores = V4_NAME(scores),
            .top_k_scratch = V4_NAME(top_k_scratch),
            .top_k = V4_NAME(top_k),
        },
    .packed =
        {
            .tall_scratch = V4_NAME(tall_packed_scratch),
            .flat_scratch = V4_NAME(flat_packed_scratch),
            .tall_fp8 = V4_NAME(tall_fp8),
            .tall_fp4 = V4_NAME(tall_fp4),
            .flat_fp8 = V4_NAME(flat_fp8),
            .flat_fp4 = V4_NAME(flat_fp4),
            .dequantize_fp8 = V4_NAME(dequantize_fp8),
            .dequantize_fp4 = V4_NAME(dequantize_fp4),
        },
};
