-- Where in a trace something happened, as W3C `traceparent`: an order is proposed, an item planned from it, a submission handed in, a
-- decision made, an effect declared. Written with the row and never changed, so that whoever goes on, in whatever process, continues it.
alter table wm.orders add column traceparent text;
alter table wm.items add column traceparent text;
alter table wm.submissions add column traceparent text;
alter table wm.approvals add column traceparent text;
alter table wm.effects add column traceparent text;
