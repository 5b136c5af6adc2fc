//! Which values an axis names, and which of the names fit.
//!
//! Owns round steps and the rule that two labels never touch. Must not know what is measured.

/// A value that an axis names.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// Its name; empty for a grid line without one.
    pub label: String,
    /// Kept before others when not all fit.
    pub major: bool,
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `value`.
pub fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|step| *step >= value * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// The largest of 1, 2 and 5 times a power of ten that is at most `value`.
pub fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0]
        .map(|step| step * power)
        .into_iter()
        .find(|step| *step <= value * (1.0 + 1e-9))
        .unwrap_or(power)
}

/// Round values from 0 to at most `high`, about `count` of them.
pub fn linear(high: f64, count: u32, name: impl Fn(f64) -> String) -> Vec<Tick> {
    let step = round_up(high / f64::from(count.max(1)));
    let steps = (high / step * (1.0 + 1e-9)).floor() as u32;
    (0..=steps)
        .map(|number| f64::from(number) * step)
        .map(|value| Tick {
            value,
            label: name(value),
            major: true,
        })
        .collect()
}

/// Values from `low` to `high` at round distances from `middle`, about `count` of them.
pub fn around(
    middle: f64,
    low: f64,
    high: f64,
    count: u32,
    name: impl Fn(f64) -> String,
) -> Vec<Tick> {
    let step = round_up((high - low) / f64::from(count.max(1)));
    let steps = |distance: f64| (distance / step * (1.0 + 1e-9)).floor() as i32;
    (-steps(middle - low)..=steps(high - middle))
        .map(|number| middle + f64::from(number) * step)
        .map(|value| Tick {
            value,
            label: name(value),
            major: true,
        })
        .collect()
}

/// 1, 2 and 5 times every power of ten from `low` to `high`; powers of ten are major.
pub fn log(low: f64, high: f64, name: impl Fn(f64) -> String) -> Vec<Tick> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let all = (first..=last)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|step| (step * 10_f64.powi(power), step == 1.0)));
    all.filter(|(value, _)| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value))
        .map(|(value, major)| Tick {
            value,
            label: name(value),
            major,
        })
        .collect()
}

/// Empties the labels that would come closer than `gap` to another one. `span` gives where the label
/// of a tick begins and ends on the axis. Major labels go first, then those nearer the beginning.
pub fn thin(ticks: &mut [Tick], gap: i32, span: impl Fn(&Tick) -> (i32, i32)) {
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for major in [true, false] {
        for tick in ticks
            .iter_mut()
            .filter(|tick| tick.major == major && !tick.label.is_empty())
        {
            let (from, to) = span(tick);
            if kept
                .iter()
                .all(|(start, end)| to + gap <= *start || *end + gap <= from)
            {
                kept.push((from, to));
            } else {
                tick.label.clear();
            }
        }
    }
}

/// Moves places apart until neighbours are `gap` from each other, as little as possible, within
/// `low` and `high` if they fit. The order of the places stays.
pub fn spread(places: &[i32], gap: i32, low: i32, high: i32) -> Vec<i32> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|index| (places[*index], *index));
    let mut moved = places.to_vec();
    let mut least = low;
    for &index in &order {
        moved[index] = moved[index].max(least);
        least = moved[index] + gap;
    }
    let mut most = high;
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(most);
        most = moved[index] - gap;
    }
    moved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(value: f64) -> String {
        value.to_string()
    }

    #[test]
    fn steps_are_round() {
        #[track_caller]
        fn check(value: f64, down: f64, up: f64) {
            assert_eq!((round_down(value), round_up(value)), (down, up), "{value}");
        }
        check(1.0, 1.0, 1.0);
        check(3.0, 2.0, 5.0);
        check(700.0, 500.0, 1000.0);
        check(1000.0, 1000.0, 1000.0);
        check(4999.0, 2000.0, 5000.0);
    }

    #[test]
    fn ticks_cover_the_axis() {
        let labels = |ticks: Vec<Tick>| -> Vec<String> {
            ticks.into_iter().map(|tick| tick.label).collect()
        };
        assert_eq!(
            labels(linear(2_200.0, 5, plain)),
            ["0", "500", "1000", "1500", "2000"]
        );
        assert_eq!(
            labels(log(200.0, 5_000.0, plain)),
            ["200", "500", "1000", "2000", "5000"]
        );
    }

    proptest! {
        #[test]
        fn kept_labels_never_touch(places in prop::collection::vec(0_i32..2_000, 1..40), width in 1_i32..200) {
            let mut ticks: Vec<Tick> = places
                .iter()
                .map(|place| Tick { value: f64::from(*place), label: "x".into(), major: place % 3 == 0 })
                .collect();
            thin(&mut ticks, 5, |tick| (tick.value as i32, tick.value as i32 + width));
            let kept: Vec<i32> =
                ticks.iter().filter(|tick| !tick.label.is_empty()).map(|tick| tick.value as i32).collect();
            prop_assert!(!kept.is_empty());
            for (index, one) in kept.iter().enumerate() {
                for other in &kept[index + 1..] {
                    prop_assert!((one - other).abs() >= width + 5);
                }
            }
        }

        #[test]
        fn spread_labels_keep_their_distance_and_order(places in prop::collection::vec(0_i32..500, 1..8)) {
            let moved = spread(&places, 30, 0, 500);
            for (one, a) in places.iter().enumerate() {
                for (other, b) in places.iter().enumerate().skip(one + 1) {
                    prop_assert!((moved[one] - moved[other]).abs() >= 30);
                    prop_assert!(a == b || (a < b) == (moved[one] < moved[other]));
                }
                prop_assert!((0..=500).contains(&moved[one]));
            }
        }
    }
}
