"""What holders plug in."""

from tenantry.kernel import Context, Module
from tenantry.kernel.notices import tell

from .events import EndMoved, PlanChanged


async def _tell(ctx: Context, event: PlanChanged | EndMoved) -> None:
    await tell(ctx, "holder", event.holder_id)


MODULE = Module("holders", handlers={PlanChanged: _tell, EndMoved: _tell})
