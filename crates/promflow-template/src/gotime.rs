//! Go's `time.Time` and `time.Duration`, as far as templates print them; all times are UTC.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A point in time taken apart.
pub(crate) struct Calendar {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millisecond: i64,
    /// 1 to 366.
    pub(crate) year_day: i64,
    /// 0 is Sunday.
    weekday: i64,
}

impl Calendar {
    /// Takes milliseconds since the epoch apart.
    ///
    /// Source: Howard Hinnant, chrono-compatible low-level date algorithms, civil_from_days.
    pub(crate) fn new(t_ms: i64) -> Calendar {
        let days = t_ms.div_euclid(86_400_000);
        let ms = t_ms.rem_euclid(86_400_000);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        // Counted from 1 March, so that the leap day comes last.
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let year_day = if month > 2 { day_of_year + 60 + i64::from(leap) } else { day_of_year - 305 };
        Calendar {
            year,
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: ms / 3_600_000,
            minute: ms / 60_000 % 60,
            second: ms / 1_000 % 60,
            millisecond: ms % 1_000,
            year_day,
            weekday: (days + 4).rem_euclid(7),
        }
    }
}

/// Writes a time as Go's `String`.
pub(crate) fn time_string(t_ms: i64) -> String {
    format_time(t_ms, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// The pieces that a layout may name, longer ones before their prefixes.
const PIECES: [&str; 29] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-070000",
    "-07:00",
    "-0700",
    "-07",
    "Z07:00:00",
    "Z070000",
    "Z07:00",
    "Z0700",
    "Z07",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "__2",
    "_2",
    "15",
    "PM",
    "pm",
    "1",
];

/// Writes a time by a Go layout, `2006-01-02 15:04:05` and the like.
///
/// Source: Go time.Time.Format.
pub(crate) fn format_time(t_ms: i64, layout: &str) -> String {
    let t = Calendar::new(t_ms);
    let mut out = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some(fraction) = fraction(rest, out.is_empty()) {
            push_fraction(&mut out, t.millisecond, fraction);
            rest = &rest[fraction.len()..];
            continue;
        }
        let word_goes_on = |piece: &str| {
            // "Jan" in "January" is found as the longer one; "Month" does not begin with a "Mon".
            matches!(piece, "Jan" | "Mon")
                && rest[piece.len()..].starts_with(|c: char| c.is_ascii_lowercase())
        };
        match PIECES.into_iter().find(|p| rest.starts_with(p) && !word_goes_on(p)) {
            Some(piece) => {
                push_piece(&mut out, &t, piece);
                rest = &rest[piece.len()..];
            }
            None => {
                let single = matches!(c, '2'..='5');
                if single {
                    push_piece(&mut out, &t, &rest[..1]);
                } else {
                    out.push(c);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

fn push_piece(out: &mut String, t: &Calendar, piece: &str) {
    let hour12 = if t.hour % 12 == 0 { 12 } else { t.hour % 12 };
    let month = MONTHS[(t.month - 1) as usize];
    let weekday = WEEKDAYS[t.weekday as usize];
    let text = match piece {
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "Monday" => weekday.to_owned(),
        "Mon" => weekday[..3].to_owned(),
        "MST" => "UTC".to_owned(),
        "2006" if t.year < 0 => format!("-{:04}", -t.year),
        "2006" => format!("{:04}", t.year),
        "06" => format!("{:02}", t.year.rem_euclid(100)),
        "01" => format!("{:02}", t.month),
        "1" => t.month.to_string(),
        "02" => format!("{:02}", t.day),
        "_2" => format!("{:2}", t.day),
        "2" => t.day.to_string(),
        "002" => format!("{:03}", t.year_day),
        "__2" => format!("{:3}", t.year_day),
        "15" => format!("{:02}", t.hour),
        "03" => format!("{hour12:02}"),
        "3" => hour12.to_string(),
        "04" => format!("{:02}", t.minute),
        "4" => t.minute.to_string(),
        "05" => format!("{:02}", t.second),
        "5" => t.second.to_string(),
        "PM" => if t.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        "pm" => if t.hour >= 12 { "pm" } else { "am" }.to_owned(),
        zone if zone.starts_with('Z') => "Z".to_owned(),
        zone => zone.replace('-', "+").replace('7', "0"),
    };
    out.push_str(&text);
}

/// Finds a fraction such as `.000` or `,999` at the start; no digit may follow it.
fn fraction(rest: &str, at_start: bool) -> Option<&str> {
    let digit = rest.strip_prefix(['.', ',']).and_then(|s| s.chars().next()).filter(|c| "09".contains(*c))?;
    let len = 1 + rest[1..].chars().take_while(|c| *c == digit).count();
    let goes_on = rest[len..].starts_with(|c: char| c.is_ascii_digit());
    (!goes_on && !at_start).then(|| &rest[..len])
}

fn push_fraction(out: &mut String, millisecond: i64, layout: &str) {
    let digits = format!("{millisecond:03}000000");
    let wanted = layout.len() - 1;
    let mut text: String = digits.chars().chain(std::iter::repeat('0')).take(wanted.min(9)).collect();
    if layout.ends_with('9') {
        text = text.trim_end_matches('0').to_owned();
        if text.is_empty() {
            return;
        }
    }
    out.push_str(&layout[..1]);
    out.push_str(&text);
}

/// Writes a duration as Go's `String`, `1h2m3.5s`.
pub(crate) fn duration_string(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let decimal = |unit: u64, name: &str| {
        let fraction = format!("{:0width$}", ns % unit, width = unit.ilog10() as usize);
        let fraction = if unit == 1 { "" } else { fraction.trim_end_matches('0') };
        let point = if fraction.is_empty() { "" } else { "." };
        (ns / unit, format!("{point}{fraction}{name}"))
    };
    match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{ns}ns"),
        1_000..1_000_000 => {
            let (whole, rest) = decimal(1_000, "µs");
            format!("{sign}{whole}{rest}")
        }
        1_000_000..1_000_000_000 => {
            let (whole, rest) = decimal(1_000_000, "ms");
            format!("{sign}{whole}{rest}")
        }
        _ => {
            let (seconds, rest) = decimal(1_000_000_000, "s");
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let head = match (hours, minutes) {
                (0, 0) => String::new(),
                (0, _) => format!("{minutes}m"),
                _ => format!("{hours}h{minutes}m"),
            };
            format!("{sign}{head}{}{rest}", seconds % 60)
        }
    }
}
