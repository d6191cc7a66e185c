"""Every fault that the operator has to live with, and the tests that make it happen. A fault without a test is red."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT, SCENES = "tests/unit/operator/test_controller.py", "tests/acceptance/test_operator.py"
STATES, LEASE = "tests/unit/operator/test_golden_states.py", "tests/unit/kubeapi/test_lease.py"
WIRE, DOOR = "tests/unit/kubeapi/test_transport.py", "tests/acceptance/kube/test_faults.py"
AMAZON = "tests/conformance/aws/test_operator_on_amazon.py"
FEEDS, PLACING = "tests/unit/operator/test_feeds.py", "tests/unit/operator/test_placing.py"
TROUBLE = "test_the_api_servers_trouble_passes_and_nothing_is_lost_or_made_twice"

FAULTS: dict[str, list[tuple[str, str]]] = {
    "the API server is down": [
        (UNIT, f"{TROUBLE}[cut connections]"),
        (WIRE, "test_who_does_not_speak_http_cannot_be_reached"),
    ],
    "the API server is slow": [(UNIT, f"{TROUBLE}[no answer]"), (WIRE, "test_silence_has_an_end")],
    "the API server restarts": [(UNIT, "test_the_api_server_restarts_under_an_operator_that_goes_on")],
    "the API server answers 409": [(UNIT, f"{TROUBLE}[409 on everything]")],
    "the API server answers 410": [
        (UNIT, f"{TROUBLE}[410 on everything]"),
        (UNIT, "test_a_compacted_history_is_listed_again_and_deletions_are_found"),
    ],
    "the API server answers 429": [(UNIT, f"{TROUBLE}[429 with Retry-After]")],
    "the API server answers 500": [(UNIT, f"{TROUBLE}[500]"), (UNIT, f"{TROUBLE}[503]")],
    "the API server prunes what is written": [
        (UNIT, "test_a_definition_that_prunes_what_we_say_is_not_told_it_again_and_again")
    ],
    "a watch dies silently": [
        (UNIT, "test_a_watch_that_died_silently_is_replaced"),
        (WIRE, "test_a_watch_that_falls_silent_or_breaks_is_told"),
    ],
    "a kept connection dies": [
        (WIRE, "test_a_kept_connection_that_died_costs_a_reader_nothing_and_a_writer_one_error")
    ],
    "a reader of a watch is slow or stops": [
        (WIRE, "test_what_a_slow_reader_has_not_taken_waits_at_the_server"),
        (DOOR, "test_a_client_that_stops_reading_is_cut_off_and_little_is_kept_for_it"),
    ],
    "the operator is killed at every step": [
        (SCENES, "test_killed_at_any_step_of_creation_it_makes_one_job"),
        (SCENES, "test_killed_at_any_step_of_deletion_it_finishes_afterwards"),
        ("tests/acceptance/test_operator_on_amazon.py", "test_killed_around_the_deed_it_makes_one_job"),
        (UNIT, "test_killed_at_any_write_the_next_operator_comes_to_the_same_end"),
    ],
    "two operators at once": [
        (UNIT, "test_two_operators_at_once_make_one_job"),
        (UNIT, "test_who_lost_the_lease_writes_nothing"),
        (SCENES, "test_of_two_operators_one_leads_and_the_other_takes_over_from_the_dead"),
    ],
    "10,000 resources": [
        ("tests/acceptance/kube/test_many_resources.py", "test_ten_thousand_resources_at_rest_cost_one_listing")
    ],
    "deleted and made again under one name": [
        (UNIT, "test_delete_and_recreate_under_one_name_does_not_take_the_old_job_over"),
        (STATES, "test_another_job_of_the_same_name_is_not_taken_for_the_one_that_ended"),
    ],
    "clocks disagree": [
        (LEASE, "test_one_leads_and_the_other_follows_whatever_their_clocks_say"),
        (UNIT, "test_a_clock_that_is_wrong_stops_makes_and_deletes_nothing"),
    ],
    "the service cannot be reached": [(UNIT, "test_a_service_that_cannot_be_reached_is_told_and_nothing_is_touched")],
    "the service has forgotten the job": [(UNIT, "test_a_job_is_not_made_again_after_it_was_forgotten")],
    "the service is another one": [(UNIT, "test_a_service_that_was_exchanged_has_no_job_made_again")],
    "the service has no time": [(AMAZON, "test_a_service_that_has_no_time_is_told_and_nothing_is_touched")],
    "the service's changes may not be read": [
        (FEEDS, "test_a_feed_that_may_not_be_read_has_everything_looked_at_again_and_again")
    ],
    "the service's changes come late or never": [
        ("tests/conformance/test_amazon_service.py", "test_what_a_late_list_passes_over_is_found_by_the_next_sweep")
    ],
    "a role is not there yet": [
        (AMAZON, "test_an_account_without_a_role_is_waited_for_until_the_map_names_one"),
        (PLACING, "test_a_role_that_is_not_to_be_had_is_waited_for"),
    ],
    "a region or account is changed afterwards": [
        (PLACING, "test_drift_is_terminal_and_the_job_goes_on_being_told"),
        (PLACING, "test_a_job_in_another_account_than_the_role_is_not_even_looked_at"),
    ],
    "another controller worked here before": [
        (
            "tests/acceptance/kube/test_from_ack_and_back.py",
            "test_acks_resources_are_taken_over_without_a_touch_and_given_back",
        )
    ],
    "a namespace's word comes late": [(UNIT, "test_a_namespace_that_retains_is_known_before_anything_in_it_is_met")],
    "an edit is refused": [(UNIT, "test_a_bad_edit_does_not_stop_tracking")],
}


@cache
def functions(path: str) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_made_to_happen(fault: str) -> None:
    from tests.unit.operator.test_controller import TROUBLES

    assert FAULTS[fault]
    for path, test in FAULTS[fault]:
        name, _, chosen = test.partition("[")
        assert name in functions(path), f"{path} has no {name}"
        assert not chosen or chosen.rstrip("]") in TROUBLES
