"""The behaviours of plotsim's tests that any such generator should have, and the tests of ours that prove each."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from tests.errors.cases import all_cases

TESTS = Path(__file__).parents[1]
ERRORS = {case.name for case in all_cases()}

BEHAVIOURS: dict[int, tuple[str, str]] = {
    1: (
        "The same config and seed give the same bytes, in another process and another folder too; another seed gives other "
        "values of the same shape.",
        "compatibility/test_proofs::test_another_process_in_another_folder_writes_the_same_bytes_and_another_seed_others "
        "laws/test_order::test_another_process_gives_the_same_rows known/test_checksums",
    ),
    2: (
        "References resolve, keys are unique, dates have no gaps, rows that belong to rows have them.",
        "compatibility/test_proofs::test_keys_are_unique_references_resolve_and_dates_have_no_gaps "
        "laws/test_relations::test_tables_keep laws/test_facts::test_rows_belong_to_rows_of_the_same_unit_and_time",
    ),
    3: (
        "A metric of growing units ranks with time as its polarity says, by more than 0.3.",
        "compatibility/test_proofs::test_a_metric_of_growing_units_ranks_with_time_as_its_polarity_says "
        "statistics/test_fidelity::test_no_metric_is_blind_to_its_trajectory",
    ),
    4: (
        "A declared correlation does not depend on the order of declaration, nor on what follows what.",
        "statistics/test_mixing::test_the_order_of_declaration_does_not_matter "
        "statistics/test_fidelity::test_a_matrix_comes_out_in_whatever_order_it_is_declared",
    ),
    5: (
        "Margins are the declared families at every position; jitter, outliers and missing values come at their rates.",
        "statistics/test_margins::test_the_margin_at_a_position_is_the_declared_family "
        "statistics/test_noise::test_jitter_has_the_declared_deviation_relative_to_the_value "
        "statistics/test_noise::test_outliers_come_at_their_rate "
        "statistics/test_noise::test_values_missing_completely_at_random_are_as_many_as_declared_whatever_they_are "
        "statistics/test_noise::test_values_are_missing_together_as_often_as_their_rates_say",
    ),
    6: (
        "The nearest correlation matrix beats clipped eigenvalues, a sound one is left alone, and every change is told.",
        "compatibility/test_proofs"
        "::test_the_nearest_correlation_beats_clipped_eigenvalues_and_leaves_a_sound_matrix_alone "
        "statistics/test_mixing"
        "::test_connections_that_exclude_each_other_are_moved_to_the_nearest_that_do_not_and_all_are_named",
    ),
    7: (
        "Correlations of a phase hold from its first period to its last and nowhere else; phases that overlap are refused.",
        "statistics/test_mixing::test_phases_switch_on_their_date "
        "statistics/test_mixing::test_a_phase_leaves_the_pairs_it_does_not_name_as_they_are errors::phase_overlaps",
    ),
    8: (
        "Delays add up along a chain, units do not leak into each other, a decay has its weights.",
        "statistics/test_correlation::test_delays_add_up_along_a_chain "
        "laws/test_slice::test_units_made_alone_are_those_of_the_whole "
        "statistics/test_mixing::test_a_decay_is_found_with_the_weights_of_its_kernel errors::metric_decay_window_of_one",
    ),
    9: (
        "A season multiplies means in its months, seasons add, sensitivities multiply them, none is as if it was "
        "never said.",
        "compatibility/test_proofs::test_seasons_add_and_sensitivities_multiply_them "
        "compatibility/test_proofs::test_no_seasons_are_as_if_nothing_was_said_of_seasons "
        "statistics/test_units::test_a_season_multiplies_the_mean_in_its_months_and_no_other",
    ),
    10: (
        "A treatment changes nothing before its start and only what it is aimed at; its share is exact; arms are "
        "independent "
        "of arrivals.",
        "statistics/test_treatment::test_nothing_differs_before_the_start_nor_ever_in_the_control "
        "statistics/test_treatment::test_the_share_of_the_treated_is_exact_to_within_one_unit_after_every_ten "
        "statistics/test_treatment::test_a_targeted_treatment_changes_its_metric_and_what_follows_it_and_nothing_else "
        "statistics/test_treatment::test_arms_are_independent_of_arrival "
        "statistics/test_treatment::test_the_lift_is_found_within_5_percent_in_stored_means "
        "errors::treatment_without_effect",
    ),
    11: (
        "Units arrive as declared, have no rows before, and neither a high tier nor more links for having come late.",
        "statistics/test_units::test_units_arrive_as_declared "
        "compatibility/test_proofs::test_units_that_arrive_late_begin_in_a_low_tier_and_have_no_more_links_than_others "
        "calendar/test_rhythm::test_nothing_happens_before_a_unit_arrives_or_after_it_ends",
    ),
    12: (
        "Of the versions of a unit one is current, they cover every period once, facts join one to one; tiers fall too.",
        "compatibility/test_proofs::test_tiers_have_one_current_version_cover_every_period_and_fall_as_well_as_rise "
        "laws/test_slice::test_a_state_knows_nothing_of_what_comes_after_it",
    ),
    13: (
        "Stages are what values call for; ordered ones never go back; delays and exits hold.",
        "calendar/test_lifecycle::test_the_stage_is_what_the_values_so_far_call_for "
        "calendar/test_lifecycle::test_an_ordered_lifecycle_never_goes_back_and_the_others_do",
    ),
    14: (
        "Threshold events are exactly where their condition holds, others follow their driver; moments lie inside the "
        "period "
        "and spread over it.",
        "compatibility/test_proofs::test_threshold_events_are_exactly_where_their_condition_is "
        "statistics/test_units::test_events_are_poisson_around_their_driver "
        "calendar/test_rhythm::test_an_even_rhythm_spreads_evenly "
        "calendar/test_lifecycle::test_an_event_fires_each_time_its_condition_comes_true_anew",
    ),
    15: (
        "Links stay inside their bounds, no pair is linked twice, who stands higher has more.",
        "tables/test_bridges::test_links_stay_inside_their_bounds "
        "tables/test_bridges::test_who_stands_higher_has_more_links "
        "compatibility/test_proofs::test_keys_are_unique_references_resolve_and_dates_have_no_gaps",
    ),
    16: (
        "A row has as many children as declared, of its own unit and time; circles are refused; what refers to an order "
        "comes after it.",
        "laws/test_facts::test_rows_belong_to_rows_of_the_same_unit_and_time "
        "laws/test_facts::test_what_refers_to_an_order_comes_after_it_and_not_too_late "
        "validation/test_relations::test_facts_torn_apart_are_caught",
    ),
    17: (
        "As many rows are broken as declared, nothing else changes, keys stay, and the ledger gives back what was there.",
        "laws/test_quality::test_as_many_rows_are_broken_as_the_rate_says "
        "laws/test_quality::test_an_issue_changes_no_value_that_it_does_not_speak_of "
        "laws/test_quality::test_the_ledger_gives_back_what_all_issues_broke_together "
        "laws/test_quality::test_two_issues_of_one_kind_break_rows_independently errors::plotsim_protected_key",
    ),
    18: (
        "Columns that say when a row was written are only where they are asked for; what was broken says that it changed.",
        "laws/test_quality::test_a_row_that_was_broken_says_that_it_changed "
        "compatibility/test_compatibility::test_a_file_for_plotsim_gives_its_tables",
    ),
    19: (
        "Training and holdout part a fact exactly, in time; features are of the training alone and leave the target out.",
        "compatibility/test_proofs::test_training_and_holdout_part_a_fact_in_time_and_features_know_training_alone "
        "laws/test_quality::test_features_as_of_a_moment_are_those_of_a_window_that_ends_there",
    ),
    20: (
        "All formats hold the same rows; dumps load, with every table; partitions and nested values are read back; a wide "
        "table has the rows of its fact; written twice is there once.",
        "output/test_contract::test_what_is_read_is_what_was_made output/test_contract::test_written_twice_is_there_once "
        "output/test_sql::test_sqlite_loads_it_with_foreign_keys_enforced "
        "output/test_sql::test_postgresql_loads_it_with_all_keys "
        "output/test_partitions::test_other_readers_find_every_row_in_its_folder "
        "output/test_contract::test_nested_values_are_nested_where_a_format_can "
        "compatibility/test_proofs::test_a_wide_table_is_its_fact_with_more_columns",
    ),
    21: (
        "The manifest says who there is and what was declared, in a fixed order; without it there is no file.",
        "output/test_manifest::test_it_says_who_there_is_and_what_was_declared "
        "output/test_manifest::test_it_is_the_same_bytes_every_time "
        "output/test_manifest::test_without_it_there_is_no_file",
    ),
    22: (
        "The places of a row fit together; another locale changes texts and nothing else.",
        "families/test_sources::test_all_geo_columns_of_a_row_speak_of_one_city "
        "compatibility/test_proofs::test_places_are_coherent "
        "compatibility/test_proofs::test_another_locale_changes_texts_and_nothing_else",
    ),
    23: (
        "The map of sources is complete, values drift at the declared rates.",
        "tables/test_sources::test_the_map_has_every_row_of_every_source_once "
        "tables/test_sources::test_values_drift_at_the_declared_rates_and_others_not_at_all",
    ),
    24: (
        "Narratives are the same every time, rise with the position, and tell the band in more than 55 % of rows.",
        "compatibility/test_proofs::test_narratives_rise_with_the_position_and_can_be_learnt "
        "families/test_sources::test_a_narrative_has_the_phrases_of_its_segment_and_band",
    ),
    25: (
        "What is wrong with a config is told when it is loaded.",
        "errors/test_errors::test_a_broken_config_is_refused_with_its_text",
    ),
    26: (
        "Every field of the language changes something, or is refused.",
        "test_fields_alive::test_every_field_has_a_case test_fields_alive::test_changing_a_field_changes_what_is_seen "
        "compatibility/test_refused::test_everything_that_the_page_calls_refused_is_refused",
    ),
    27: (
        "What is off is as if it was never written, and leaves everything else as it is.",
        "compatibility/test_proofs::test_what_is_off_is_as_if_it_was_never_written "
        "laws/test_extension::test_noise_changes_stored_values_and_nothing_else "
        "laws/test_quality::test_a_clean_dataset_has_no_ledger",
    ),
    28: (
        "Archetypes are told apart by the values of their units.",
        "compatibility/test_proofs::test_archetypes_are_told_apart_by_the_values_of_their_units",
    ),
    29: (
        "The explanation of a value ends with the value.",
        "truth/test_explain::test_any_column_of_a_fact_or_stage_is_explained_with_the_generated_value",
    ),
    30: (
        "A budget stops what is too large, and can be overruled.",
        "compatibility/test_proofs::test_a_budget_stops_a_config_that_is_too_large_and_can_be_overruled "
        "output/test_options::test_a_config_with_more_cells_than_its_budget_is_refused",
    ),
}
"""Number to (the claim, the tests that prove it). A name without :: is a file, after errors:: a broken config."""


@lru_cache
def defined(path: Path) -> set[str]:
    """Return the names of the functions that a file defines."""
    return {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("number", BEHAVIOURS)
def test_the_tests_that_prove_a_behaviour_are_there(number: int) -> None:
    for proof in BEHAVIOURS[number][1].split():
        file, _, name = proof.partition("::")
        if file == "errors":
            assert name in ERRORS, proof
        else:
            assert (TESTS / f"{file}.py").exists(), proof
            assert not name or name in defined(TESTS / f"{file}.py"), proof


def test_there_are_thirty() -> None:
    assert list(BEHAVIOURS) == list(range(1, 31))
