"""Who is out, why and until when, by the names that dashboards ask for."""

import pytest
from prometheus_client import CollectorRegistry

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Plan
from sidecar.core.state.standing import DEGRADED, NEVER, OUT, SPENT, STANDBY, Mark
from sidecar.core.watch import OutlierRule, RegionRule, Watch
from sidecar.runtime.endpoint_measures import MOST_LISTED, EndpointMeasures
from tests.builders import a_request, a_route, an_engine, endpoints_of
from tests.core.watched import a_watched_engine, a_watched_plan, watched

Samples = dict[tuple[str, tuple[str, ...]], float]


class Scraped:
    """An engine whose metrics are read at times that the test says."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(EndpointMeasures(engine, lambda: self.now))

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Values by those of the labels, in the order of their names."""
        return {
            tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if sample.name == name
        }

    def send(self, bad: str, count: int) -> None:
        for _ in range(count):
            answer = self.engine.decide(a_request(), self.now)
            assert isinstance(answer, Decision)
            assert answer.ticket is not None
            status = 503 if answer.endpoint.id in bad else 200
            self.engine.settle(answer.ticket.id, Outcome(status, duration_s=0.01), self.now)


def test_an_endpoint_whose_breaker_opened_has_series_until_it_is_back() -> None:
    """O2, H5"""
    scraped = Scraped(a_watched_engine(a_watched_plan(watched("ab"))))
    assert scraped.samples("sidecar_endpoint_out") == {}
    scraped.send("b", 6)
    scraped.now = 4.0
    scraped.engine.expire(scraped.now)

    assert scraped.samples("sidecar_endpoint_out") == {("breaker", "shop", "b"): 1.0}
    assert scraped.samples("sidecar_endpoint_back_seconds") == {("shop", "b"): 6.0}
    assert scraped.samples("sidecar_breaker_state") == {("shop", "b", "open"): 1.0}
    assert scraped.samples("sidecar_breaker_opened_total") == {(): 1.0}
    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): 1.0, ("shop", "resting"): 1.0}

    scraped.now = 10.0
    scraped.engine.expire(scraped.now)
    assert scraped.samples("sidecar_endpoint_out") == {}
    assert scraped.samples("sidecar_breaker_state") == {("shop", "b", "half-open"): 1.0}

    scraped.send("", 4)
    assert scraped.samples("sidecar_breaker_state") == {}
    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): 2.0}


def test_each_cluster_says_how_many_breakers_are_in_each_state() -> None:
    """O1: by the names that dashboards of a gateway ask for."""
    scraped = Scraped(a_watched_engine(a_watched_plan((*watched("abc"), *watched("x", None, "plain")))))
    assert scraped.samples("gateway_circuit_breaker_state") == {
        ("shop", "closed"): 3.0,
        ("shop", "open"): 0.0,
        ("shop", "half-open"): 0.0,
    }
    scraped.send("b", 12)
    assert scraped.samples("gateway_circuit_breaker_state")["shop", "open"] == 1.0
    assert scraped.samples("gateway_circuit_breaker_state")["shop", "closed"] == 2.0

    scraped.now = 10.0
    assert scraped.samples("gateway_circuit_breaker_state")["shop", "half-open"] == 1.0


def test_each_place_says_which_share_of_its_endpoints_is_sound() -> None:
    """O1: region and zone by the names that dashboards of a gateway ask for."""
    places = {"a": ("eu", "eu-1"), "b": ("eu", "eu-1"), "c": ("eu", "eu-2"), "d": ("", "")}
    endpoints = [
        Endpoint("shop", name, "10.0.0.1:80", region=region, zone=zone)
        for name, (region, zone) in places.items()
    ]
    scraped = Scraped(a_watched_engine(a_watched_plan(endpoints)))
    scraped.engine.state.standing.mark("shop/a", "outlier", Mark(OUT, "ejected"), 0.0)
    scraped.engine.state.standing.mark("shop/c", "region", Mark(STANDBY, "stands by"), 0.0)
    scraped.engine.state.standing.mark("shop/d", "load", Mark(DEGRADED, "load"), 0.0)

    # in the order of the labels' names: datacenter, upstream, zone
    assert scraped.samples("gateway_upstream_health") == {
        ("eu", "shop", "eu-1"): 0.5,
        ("eu", "shop", "eu-2"): 1.0,
        ("", "shop", ""): 0.0,
    }


def test_each_cause_has_a_series_and_the_time_is_that_of_the_last() -> None:
    """O2"""
    scraped = Scraped(an_engine(a_route(to=endpoints_of({"a": 1, "b": 1, "c": 1}))))
    standing = scraped.engine.state.standing
    standing.mark("shop/a", "outlier", Mark(OUT, "ejected", 30.0), 0.0)
    standing.mark("shop/a", "breaker", Mark(OUT, "open", 10.0), 0.0)
    standing.mark("shop/b", "probe", Mark(OUT, "probe", NEVER), 0.0)
    standing.mark("shop/c", "load", Mark(DEGRADED, "load", 20.0), 0.0)

    assert set(scraped.samples("sidecar_endpoint_out")) == {
        ("outlier", "shop", "a"),
        ("breaker", "shop", "a"),
        ("probe", "shop", "b"),
    }
    assert set(scraped.samples("sidecar_endpoint_degraded")) == {("load", "shop", "c")}
    assert scraped.samples("sidecar_endpoint_back_seconds") == {("shop", "a"): 30.0, ("shop", "c"): 20.0}


@pytest.mark.parametrize(
    ("level", "name"), [(STANDBY, "standby"), (DEGRADED, "degraded"), (OUT, "out"), (SPENT, "spent")]
)
def test_endpoints_are_counted_by_how_they_stand(level: int, name: str) -> None:
    """O2: those that are never picked, for their weight, are not."""
    scraped = Scraped(an_engine(a_route(to=endpoints_of({"a": 1, "never": 0}))))
    for key in ("shop/a", "shop/never"):
        scraped.engine.state.standing.mark(key, "hand", Mark(level, "is so"), 0.0)

    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): 0.0, ("shop", name): 1.0}


def test_who_stands_by_has_no_series_of_its_own() -> None:
    """O2: a whole region may, for months."""
    scraped = Scraped(an_engine())
    scraped.engine.state.standing.mark("shop/a", "region", Mark(STANDBY, "stands by"), 0.0)

    assert scraped.samples("sidecar_endpoint_out") == scraped.samples("sidecar_endpoint_degraded") == {}


def test_a_panic_and_an_ejection_are_seen() -> None:
    """O2, H7, H3"""
    offer = Offer(watch=Watch(outliers=OutlierRule(requests=2, most_ejected=1.0)))
    endpoints = tuple(Endpoint("shop", name, "10.0.0.1:80", offer=offer) for name in "abc")
    scraped = Scraped(a_watched_engine(a_watched_plan(endpoints, panic=0.5)))
    assert scraped.samples("sidecar_panic") == {("shop",): 0.0}

    scraped.send("bc", 6)

    assert scraped.samples("sidecar_panic") == {("shop",): 1.0}
    assert scraped.samples("sidecar_ejections_total") == {(): 2.0}


def test_health_scores_are_those_of_all_endpoints_where_these_are_few() -> None:
    """O2, H2"""
    scraped = Scraped(a_watched_engine(a_watched_plan(watched("ab"))))
    scraped.send("b", 4)

    scores = scraped.samples("sidecar_endpoint_health_score")

    assert scores["shop", "a"] > 0.9 > scores["shop", "b"]


def test_the_active_region_is_seen() -> None:
    """O2, F5"""
    near, far = (Endpoint("shop", name, "10.0.0.1:80", region=name) for name in ("near", "far"))
    plan = a_watched_plan((near, far))
    scraped = Scraped(a_watched_engine(Plan(1, plan.routes, regions=RegionRule(("near", "far")))))
    assert scraped.samples("sidecar_region_active") == {("near",): 1.0}

    scraped.engine.state.standing.mark("shop/near", "hand", Mark(OUT, "out"), 1.0)

    assert scraped.samples("sidecar_region_active") == {("far",): 1.0}
    assert scraped.samples("sidecar_region_changes_total") == {(): 1.0}


def test_a_thousand_endpoints_have_series_and_the_others_are_counted() -> None:
    """O2: a scrape stays small when everything breaks."""
    many = MOST_LISTED + 500
    scraped = Scraped(an_engine(a_route(to=endpoints_of({f"e{at}": 1 for at in range(many)}))))
    mark = Mark(OUT, "ejected", 30.0)
    scraped.engine.state.standing.mark_all([f"shop/e{at}" for at in range(many)], "outlier", mark, 0.0)

    assert len(scraped.samples("sidecar_endpoint_out")) == MOST_LISTED
    assert len(scraped.samples("sidecar_endpoint_health_score")) == MOST_LISTED
    assert scraped.samples("sidecar_endpoints_unlisted") == {(): 500.0}
    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): 0.0, ("shop", "out"): float(many)}


def test_of_many_healthy_endpoints_only_the_number_is_told() -> None:
    """O2"""
    many = MOST_LISTED + 500
    scraped = Scraped(an_engine(a_route(to=endpoints_of({f"e{at}": 1 for at in range(many)}))))

    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): float(many)}
    assert scraped.samples("sidecar_endpoint_health_score") == {}


def test_after_a_reload_it_tells_of_the_new_endpoints() -> None:
    """O2"""
    scraped = Scraped(an_engine(a_route(to=endpoints_of({"a": 1, "b": 1}))))
    scraped.engine.state.standing.mark("shop/b", "hand", Mark(OUT, "out"), 0.0)
    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): 1.0, ("shop", "out"): 1.0}

    scraped.engine.swap(Plan(2, [a_route(to=endpoints_of({"a": 1}))]), 1.0)

    assert scraped.samples("sidecar_endpoints") == {("shop", "healthy"): 1.0}
    assert scraped.samples("sidecar_endpoint_out") == {}
