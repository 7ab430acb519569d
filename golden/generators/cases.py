"""All golden cases, in the order of the manifest."""

from collections import Counter
from functools import cache

from case import Case
from cases_attention import attention_cases
from cases_attention_refused import attention_refusals
from cases_attention_rounded import rounded_attention_cases
from cases_attention_special import special_attention_cases
from cases_attention_speculation import speculation_cases
from cases_attention_state import attention_state_cases
from cases_compression import compression_cases
from cases_core_attention import core_attention_cases
from cases_expert_routing import routing_cases
from cases_experts import expert_and_mixture_cases
from cases_harness import harness_cases
from cases_hash_routing import hash_cases
from cases_hyper_connections import hyper_connection_cases
from cases_indexer import indexer_cases
from cases_low_precision import low_precision_cases
from cases_model import model_cases
from cases_mtp import mtp_cases
from cases_refused import refused_cases
from cases_rotary import rotary_cases
from equations import EQUATION_IDS


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case, sorted by id. Refuses two cases of one id and an equation without a case that has expected values."""
    cases = harness_cases() + hyper_connection_cases()
    cases += routing_cases() + hash_cases() + expert_and_mixture_cases() + refused_cases()
    cases += rotary_cases() + compression_cases() + indexer_cases() + core_attention_cases() + attention_cases()
    cases += speculation_cases() + special_attention_cases() + attention_state_cases() + attention_refusals()
    cases += low_precision_cases() + rounded_attention_cases() + model_cases() + mtp_cases()
    repeated = [case for case, count in Counter(case.id for case in cases).items() if count > 1]
    if repeated:
        raise ValueError(f"two cases have the id {repeated[0]}")
    covered = {equation for case in cases if case.expected_error is None for equation in case.equations}
    if missing := EQUATION_IDS - covered:
        raise ValueError(f"no case covers equation {sorted(missing)[0]}")
    return tuple(sorted(cases, key=lambda case: case.id))
