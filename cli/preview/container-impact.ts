import type { Change } from "./changes";
import { unknown, type Judgement } from "./impact";

/** What is missed while the only container of a service is away, by service. */
const AWAY: Readonly<Record<string, Omit<Judgement, "service">>> = {
  nginx: { impact: "seconds of downtime", why: "no request is answered meanwhile" },
  app: {
    impact: "seconds of downtime",
    why: "no prediction is answered meanwhile: its port on the host allows one container only",
  },
  mlflow: {
    impact: "seconds of downtime",
    why: "no training and no registry meanwhile; predictions go on",
  },
  redis: { impact: "no downtime", why: "the app answers without its cache meanwhile" },
  backup: { impact: "no downtime", why: "no backup is made meanwhile" },
  prometheus: { impact: "no downtime", why: "metrics have a gap; users notice nothing" },
  "postgres-exporter": { impact: "no downtime", why: "its metrics have a gap" },
  "redis-exporter": { impact: "no downtime", why: "its metrics have a gap" },
  "nginx-exporter": { impact: "no downtime", why: "its metrics have a gap" },
  postgres: {
    impact: "touches data",
    why: "the database is stopped, and its data opened by a new container",
  },
};

/** What a change of a service's container does. */
export function containerImpact(change: Change): Judgement {
  const { operation, labels, isStopFirst, hasSuccessor } = change;
  const service = labels["mlops.service"];
  if (service === undefined) return unknown("a container without a service");
  if (operation === "create") return { impact: "no downtime", why: "starts beside what runs" };
  if (operation === "update")
    return { impact: "no downtime", why: "set on the running container, which goes on" };
  if (operation === "replace" && !isStopFirst)
    return { impact: "no downtime", why: "the new one takes over before the old one stops" };
  if (operation === "delete" && hasSuccessor)
    return { impact: "no downtime", why: "stops once the others have taken over" };
  const away = AWAY[service];
  if (away === undefined) return { ...unknown(`a container of ${service}`), service };
  const judgement = away.impact === "no downtime" ? away : { ...away, service };
  return operation === "delete"
    ? { ...judgement, why: `taken away for good: nothing takes its place` }
    : judgement;
}
