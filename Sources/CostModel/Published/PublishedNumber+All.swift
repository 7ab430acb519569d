/// What the report means by 1M tokens, and where the axis of its Figure 1 ends (1024K).
let million = 1_048_576

extension PublishedNumber {
  /// Every number that is compared.
  public static let all = checkpoints + parameters + cache + operations

  private static let released = "released checkpoint"
  private static let figure1 = "report, Figure 1"

  /// Of the files themselves, so they have to match to the last byte.
  private static let checkpoints = [
    whole(.flash, "tensors in the checkpoint", 69_187) { $0.tensors },
    whole(.flash, "elements in the checkpoint", 158_069_433_298) { $0.elements },
    whole(.flash, "bytes of tensor data", 159_609_485_896) { $0.bytes },
    whole(.pro, "tensors in the checkpoint", 145_116) { $0.tensors },
    whole(.pro, "elements in the checkpoint", 861_608_274_846) { $0.elements },
    whole(.pro, "bytes of tensor data", 864_704_792_696) { $0.bytes },
  ]

  private static func whole(
    _ release: ModelCost.Release, _ quantity: String, _ value: Double,
    _ count: @escaping @Sendable (CheckpointInventory) -> Int
  ) -> PublishedNumber {
    PublishedNumber(release, quantity, value, .one, from: released) { comparison in
      comparison.model.checkpoint.map { Double(count($0)) } ?? .nan
    }
  }

  private static let parameters = [
    PublishedNumber(.flash, "parameters without MTP", 284, .billion, from: "report 4.2.1") {
      Double($0.model.parameters.total)
    },
    PublishedNumber(.flash, "activated parameters", 13, .billion, from: "report 4.2.1") {
      Double($0.model.parameters.activated)
    },
    PublishedNumber(.pro, "parameters without MTP", 1.6, decimals: 1, .trillion, from: "report 4.2.1") {
      Double($0.model.parameters.total)
    },
    PublishedNumber(.pro, "activated parameters", 49, .billion, from: "report 4.2.1") {
      Double($0.model.parameters.activated)
    },
  ]

  private static let cache =
    [
      cacheShare(.flash, 7), cacheShare(.pro, 10), cacheRatio(.flash, 13.7), cacheRatio(.pro, 9.5),
      ofGroupedQueries(.flash), ofGroupedQueries(.pro), ofFullWindows(.flash), ofFullWindows(.pro),
    ] + [
      PublishedNumber(.pro, "KV cache at 1M, all BF16", 9.62, decimals: 2, .gibibytes, from: "vLLM blog") {
        $0.model.cache(context: million, .bfloat16).bytes
      },
      PublishedNumber(.v32, "KV cache at 1M, all BF16", 83.9, decimals: 1, .gibibytes, from: "vLLM blog") {
        $0.model.cache(context: million, .bfloat16).bytes
      },
    ]

  private static func cacheShare(_ release: ModelCost.Release, _ value: Double) -> PublishedNumber {
    PublishedNumber(release, "KV cache at 1M, of V3.2", value, .percent, from: "report, text") {
      $0.cacheShare(context: million)
    }
  }

  private static func cacheRatio(_ release: ModelCost.Release, _ value: Double) -> PublishedNumber {
    PublishedNumber(release, "KV cache at 1M, smaller than V3.2", value, decimals: 1, .times, from: figure1) {
      1 / $0.cacheShare(context: million)
    }
  }

  private static func ofGroupedQueries(_ release: ModelCost.Release) -> PublishedNumber {
    PublishedNumber(release, "KV cache at 1M, of BF16 GQA with 8 heads of 128", 2, .percent, from: "report 2.3.4") {
      $0.model.shareOfGroupedQueries(context: million, $0.format)
    }
  }

  private static func ofFullWindows(_ release: ModelCost.Release) -> PublishedNumber {
    PublishedNumber(release, "all window entries, of the compressed entries", 8, .times, from: "report 3.5") {
      $0.model.uncompressedToCompressed
    }
  }

  private static let operations = [
    operationShare(.flash, 10), operationShare(.pro, 27),
    operationRatio(.flash, 9.8, at: 955), operationRatio(.pro, 3.7, at: 1000),
  ]

  private static func operationShare(_ release: ModelCost.Release, _ value: Double) -> PublishedNumber {
    PublishedNumber(release, "FLOPs of a token at 1M, of V3.2", value, .percent, from: "report, text") {
      $0.flopsShare(context: million)
    }
  }

  /// The labels of these curves do not stand at 1M but at arrows a little before, whose place was read off the drawing.
  private static func operationRatio(
    _ release: ModelCost.Release, _ value: Double, at thousands: Int
  ) -> PublishedNumber {
    PublishedNumber(
      release, "FLOPs at the arrow (\(thousands)K), lower than V3.2", value, decimals: 1, .times, from: figure1
    ) { 1 / $0.flopsShare(context: thousands * 1024) }
  }
}
