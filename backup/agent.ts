import { PgBackrest } from "./pgbackrest";
import { Restic } from "./restic";
import { Sets } from "./sets";
import { PLACES, readSettings, type AgentSettings, type Places } from "./settings";

/** What the agent works with. */
export interface Agent {
  readonly places: Places;
  readonly settings: AgentSettings;
  readonly pgbackrest: PgBackrest;
  readonly restic: Restic;
  readonly sets: Sets;
}

/** @throws Error when what the program has written for the agent cannot be read. */
export function openAgent(places: Places = PLACES): Agent {
  const settings = readSettings(places);
  return {
    places,
    settings,
    pgbackrest: new PgBackrest(places, settings),
    restic: new Restic(places, settings),
    sets: new Sets(places, settings.stack),
  };
}
