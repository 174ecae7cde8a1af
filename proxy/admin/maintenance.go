package admin

import (
	"cmp"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/body"
	"github.com/lewistv/xcri-proxy/proxy/admin/lasting"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/valyala/fasthttp"
)

// newMaintenanceStats returns nil while maintenance mode is off.
func newMaintenanceStats(period *maintenance.Period) *api.Maintenance {
	if period == nil {
		return nil
	}
	return &api.Maintenance{Since: &period.Since, Until: period.Until, Message: period.Message}
}

// serveMaintenance shows whether maintenance mode is on.
func (a *Admin) serveMaintenance(ctx *fasthttp.RequestCtx) { a.sendMaintenance(ctx, "") }

// changeMaintenance turns it on or off.
func (a *Admin) changeMaintenance(ctx *fasthttp.RequestCtx) {
	var req api.MaintenanceRequest
	if !body.Read(ctx, &req) {
		return
	}
	next, err := lasting.Period(req, time.Now())
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	if next == nil && !a.opts.Maintenance.On() && (a.opts.Fleet == nil || req.Local) {
		a.sendMaintenance(ctx, "") // nothing changes, here and on other members
		return
	}
	var unkept error
	warning, _ := a.act(fleet.Maintenance, req, req.Local, false, func() error { unkept = a.setMaintenance(next, ""); return nil })
	a.sendMaintenance(ctx, warnings(unkept, warning))
}

// setMaintenance begins a period, or ends the present period. by names another member that
// requested it, if there is any. The error reports that the change is not kept for the next run.
func (a *Admin) setMaintenance(next *maintenance.Period, by string) error {
	err := a.opts.Maintenance.Set(next)
	if next != nil {
		a.opts.Events.Add(events.Maintenance, "maintenance mode on"+by+": "+cmp.Or(next.Message, "without a message"))
	} else {
		a.opts.Events.Add(events.Reopen, "maintenance mode off"+by)
	}
	return err
}

// warnings joins the reason why a change is not kept for the next run with another warning.
func warnings(unkept error, warning string) string {
	switch {
	case unkept == nil:
		return warning
	case warning == "":
		return unkept.Error()
	}
	return unkept.Error() + "; " + warning
}

func (a *Admin) sendMaintenance(ctx *fasthttp.RequestCtx, warning string) {
	var state api.MaintenanceState
	if stats := newMaintenanceStats(a.opts.Maintenance.Period()); stats != nil {
		state.On, state.Maintenance = true, *stats
	}
	state.Warning = warning
	body.Send(ctx, fasthttp.StatusOK, state)
}

// servePreview sends the page that visitors would get for the parameters until and
// message. Only the ops room may show it in a frame.
func (a *Admin) servePreview(ctx *fasthttp.RequestCtx) {
	args, now := ctx.QueryArgs(), time.Now()
	period, err := maintenance.NewPeriod(string(args.Peek("until")), string(args.Peek("message")), now)
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	h := &ctx.Response.Header
	h.SetContentType("text/html; charset=utf-8")
	h.Set(fasthttp.HeaderContentSecurityPolicy, strings.Replace(a.notice.Policy(), "frame-ancestors 'none'", "frame-ancestors 'self'", 1))
	h.Set(fasthttp.HeaderXFrameOptions, "SAMEORIGIN")
	reply.Send(ctx, fasthttp.StatusOK, a.notice.Render(period, now))
}
