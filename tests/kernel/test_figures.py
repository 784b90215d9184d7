"""Figures that rooms add to `/metrics`."""

from tenantry import Google, Module, Plan, Product
from tenantry.kernel.figures import Figure
from tenantry.kernel.health import Metrics
from tenantry.kernel.runtime import Runtime


def test_figures_are_read_at_each_look() -> None:
    metrics, loads = Metrics(), [3.0, 4.0]
    metrics.follow(lambda: [Figure("acme_loaves", "Loaves baked.", loads.pop(0), {"oven": "left"}, kind="counter")])
    assert 'acme_loaves_total{oven="left"} 3.0' in metrics.render().decode()
    assert 'acme_loaves_total{oven="left"} 4.0' in metrics.render().decode()


def test_figures_of_one_name_stand_together_and_a_gauge_is_no_counter() -> None:
    metrics = Metrics()
    metrics.follow(
        lambda: [Figure("acme_heat", "Degrees.", heat, {"oven": oven}) for oven, heat in (("a", 1), ("b", -2))]
    )
    lines = metrics.render().decode().splitlines()
    assert lines.count("# TYPE acme_heat gauge") == 1
    assert {'acme_heat{oven="a"} 1.0', 'acme_heat{oven="b"} -2.0'} <= set(lines)


def test_a_label_cannot_break_out_of_its_line() -> None:
    metrics = Metrics()
    metrics.follow(lambda: [Figure("acme_heat", "Degrees.", 1, {"oven": 'a"} 9\nother 1'})])
    assert "\nother 1" not in metrics.render().decode()


async def test_an_authors_module_adds_its_own(start) -> None:
    def declared(runtime: Runtime) -> list[Figure]:
        return [Figure("acme_plans", "Plans declared.", len(runtime.product.plans))]

    plans = [Plan("free", price=0), Plan("pro", price=900)]
    modules = [Module("acme", figures=[declared])]
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans, modules=modules))
    assert "\nacme_plans 2.0\n" in (await (await kit.client()).get("/metrics")).text
