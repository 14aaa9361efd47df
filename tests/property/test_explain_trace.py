"""The trace of the rules and the verdict are one: what is shown is what was decided."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.access.application import Application
from edge.access.evaluate import evaluate
from edge.access.rules import RequestFacts
from edge.explain.trace import Part, trace_policies
from tests.property.test_access_evaluate import APPLICATIONS, FACTS, without_record


@given(APPLICATIONS, FACTS, st.booleans())
def test_the_policy_that_decides_in_the_trace_decides_in_the_verdict(
    app: Application, facts: RequestFacts, requested: bool
) -> None:
    verdict = evaluate(app, facts, unmatched_pass=False, certificate_requested=requested)
    traced = trace_policies(app, facts)
    assert [each.policy for each in traced] == list(app.policies)
    deciding = [each.policy for each in traced if each.part is Part.DECIDES]
    assert deciding == ([] if verdict.policy is None else [verdict.policy])
    reporting = [each.policy for each in traced if each.part is Part.REPORTS][:1]
    assert reporting == ([] if verdict.reported is None else [verdict.reported.policy])


@given(APPLICATIONS, FACTS)
def test_the_hits_of_the_rules_make_the_answer_of_a_policy(app: Application, facts: RequestFacts) -> None:
    for each in trace_policies(app, facts):
        assert each.condition.holds is each.policy.condition.holds(without_record(facts))
