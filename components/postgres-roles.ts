import * as pulumi from "@pulumi/pulumi";

/** A database role and its password. */
export interface Role {
  readonly name: string;
  readonly password: pulumi.Output<string>;
}

/** Arguments of {@link provisionSql}. */
export interface Provision {
  /** Roles that each own a database of their own name. */
  readonly owners: readonly Role[];
  readonly superuser: Role;
  /** Role that may read statistics and nothing else. */
  readonly monitor: Role;
}

/**
 * SQL that brings databases, roles and passwords to what is described, from any state: it can run
 * any number of times, and also gives a volume restored or kept from earlier the stack's present
 * passwords. Each database is closed to every role but its owner.
 */
export function provisionSql(args: Provision): pulumi.Output<string> {
  const roles = [...args.owners, args.superuser, args.monitor];
  return pulumi.all(roles.map((role) => role.password)).apply((passwords) =>
    [
      // A statement that fails must not bring a password into the server's log.
      "SET log_min_error_statement = panic;",
      "SET log_statement = none;",
      ...roles.flatMap((role, index) => roleSql(role.name, passwords[index] ?? "")),
      ...args.owners.flatMap((owner) => databaseSql(owner.name)),
      `GRANT pg_monitor TO ${identifier(args.monitor.name)};`,
      // Until the first backup the write-ahead log is worth nothing: there is nothing to replay it on.
      "SELECT 'ALTER SYSTEM SET archive_command = ''/bin/true'''",
      "  WHERE current_setting('archive_command') IN ('', '(disabled)') \\gexec",
      "SELECT pg_reload_conf() \\g /dev/null",
      "",
    ].join("\n"),
  );
}

function roleSql(name: string, password: string): string[] {
  return [
    `SELECT 'CREATE ROLE ${identifier(name)} LOGIN'`,
    `  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(name)}) \\gexec`,
    `ALTER ROLE ${identifier(name)} PASSWORD ${literal(password)};`,
  ];
}

function databaseSql(name: string): string[] {
  return [
    `SELECT 'CREATE DATABASE ${identifier(name)} OWNER ${identifier(name)}'`,
    `  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = ${literal(name)}) \\gexec`,
    `REVOKE ALL ON DATABASE ${identifier(name)} FROM PUBLIC;`,
  ];
}

/** Names come from this program: anything but a plain one is a mistake in it. */
function identifier(name: string): string {
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new RangeError(`"${name}" is not a plain name`);
  return name;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
