import CostModel
import DeepSeekV4

let flash = Result { try ModelCost(.flash, name: "") }
let pro = Result { try ModelCost(.pro, name: "") }
let v32 = Result { try ModelCost(DeepSeekV32()) }

/// A published model by its name.
func model(_ release: ModelCost.Release) throws -> ModelCost {
  switch release {
  case .flash: try flash.get()
  case .pro: try pro.get()
  case .v32: try v32.get()
  }
}

let million = 1_048_576
