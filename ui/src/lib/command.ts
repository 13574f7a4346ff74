/** The commands of the terminal that give what the page shows. */

/** Quotes a word for a shell where it needs it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Where the server has its files, as its flags name them. */
export type Flags = Record<string, string>;

/** Where the commands look when nothing else is said. */
const USUAL: Flags = { "config.file": "monitoring/prometheus.yml", "alertmanager.config": "monitoring/alertmanager.yml", source: "." };

function files(flags: Flags): string {
  return Object.keys(USUAL)
    .map((flag) => [flag, (flags[flag] ?? "").replace(/^\.\/(?=.)/, "")])
    .filter(([flag, value]) => value !== "" && value !== USUAL[flag])
    .map(([flag, value]) => ` --${flag} ${quoted(value)}`)
    .join("");
}

/** Returns the command that answers a question, `undefined` where there is none. */
export function commandFor(ask: string, subject: string, flags: Flags, origin: string): string | undefined {
  const server = ` --url ${quoted(origin)}`;
  switch (ask) {
    case "feeds":
    case "breaks":
      return `promflow flow ${ask} ${quoted(subject)}${files(flags)}${server}`;
    case "missing":
      return `promflow flow missing${files(flags)}${server}`;
    case "unread":
    case "dead":
    case "nohelp":
      return `promflow prune${files(flags)}${server}`;
    case "cardinality":
      return `promflow cardinality${server}`;
    case "changed":
      return `promflow flow diff ${quoted(`${subject}..HEAD`)}${files(flags)}`;
    case "wrong":
      return `promflow flow --fail-on broken --format text${files(flags)}${server}`;
    default:
      return undefined;
  }
}
