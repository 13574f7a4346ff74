//! Parts of a date, in UTC.

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateFunction {
    DaysInMonth,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Month,
    Year,
}

impl DateFunction {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "days_in_month" => Self::DaysInMonth,
            "day_of_month" => Self::DayOfMonth,
            "day_of_week" => Self::DayOfWeek,
            "day_of_year" => Self::DayOfYear,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// Returns the part of the date at a time in seconds since the epoch.
    ///
    /// Source: the day-count arithmetic of Howard Hinnant's "chrono-compatible low-level date algorithms"; unlike a
    /// calendar library it has no first or last year.
    pub(crate) fn of(self, seconds: f64) -> f64 {
        // What does not fit into 64 bits is 2^63 in the end: Go converts it to the smallest number, which its calendar
        // reads without the sign.
        let fits = seconds > i64::MIN as f64 && seconds < i64::MAX as f64;
        let seconds = if fits { i128::from(seconds as i64) } else { 1 << 63 };
        let days = seconds.div_euclid(86_400) as i64;
        let second_of_day = seconds.rem_euclid(86_400) as i64;
        match self {
            Self::Hour => return (second_of_day / 3_600) as f64,
            Self::Minute => return (second_of_day % 3_600 / 60) as f64,
            Self::DayOfWeek => return (days + 4).rem_euclid(7) as f64,
            _ => {}
        }
        let (year, month, day) = civil(days);
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let length = |month: i64| match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let part = match self {
            Self::DaysInMonth => length(month),
            Self::DayOfMonth => day,
            Self::DayOfYear => (1..month).map(length).sum::<i64>() + day,
            Self::Month => month,
            _ => year,
        };
        part as f64
    }
}

/// Returns year, month and day of a day counted from the epoch.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        let leap_day = 1_456_790_399.0; // 2016-02-29 23:59:59 UTC, a Monday.
        for (name, part) in [
            ("days_in_month", 29.0),
            ("day_of_month", 29.0),
            ("day_of_week", 1.0),
            ("day_of_year", 60.0),
            ("hour", 23.0),
            ("minute", 59.0),
            ("month", 2.0),
            ("year", 2016.0),
        ] {
            assert_eq!(DateFunction::named(name).unwrap().of(leap_day), part, "{name}");
        }
        assert_eq!(DateFunction::Year.of(-1.0), 1969.0);
        assert_eq!(DateFunction::DayOfMonth.of(f64::NAN), 4.0);
    }
}
