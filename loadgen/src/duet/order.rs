//! Whose turn it is.
//!
//! Owns the order of slices and which of them make a pair. Must not know what a slice measures.
//!
//! A quartet is base, candidate, candidate, base: what drifts evenly while it runs falls on both
//! alike. With a control, every quartet is followed by one of base and control.

/// A part in the duet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// What is compared with.
    Base,
    /// What is judged.
    Candidate,
    /// Another Envoy with the base.
    Control,
}

impl Part {
    /// The parts there are.
    pub fn of(has_control: bool) -> &'static [Part] {
        match has_control {
            true => &[Self::Base, Self::Candidate, Self::Control],
            false => &[Self::Base, Self::Candidate],
        }
    }
}

/// The slices of `pairs` pairs in order; an odd last pair is rounded up to a quartet.
pub fn slices(pairs: usize, has_control: bool) -> Vec<Part> {
    let quartet = |other| [Part::Base, other, other, Part::Base];
    (0..pairs.div_ceil(2))
        .flat_map(|_| {
            let mut round = quartet(Part::Candidate).to_vec();
            if has_control {
                round.extend(quartet(Part::Control));
            }
            round
        })
        .collect()
}

/// The pairs of base and `other` among slices in the order of [`slices`]: neighbours within a quartet.
pub fn pairs<T: Copy>(slices: &[T], part: impl Fn(T) -> Part, other: Part) -> Vec<(T, T)> {
    let is_pair = |a: T, b: T| part(a) == Part::Base && part(b) == other;
    slices
        .chunks_exact(4)
        .flat_map(|quartet| [(quartet[0], quartet[1]), (quartet[3], quartet[2])])
        .filter(|(base, candidate)| is_pair(*base, *candidate))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: &[Part]) -> String {
        let letter = |part: &Part| match part {
            Part::Base => 'A',
            Part::Candidate => 'B',
            Part::Control => 'C',
        };
        parts.iter().map(letter).collect()
    }

    #[test]
    fn slices_alternate_so_that_even_drift_falls_on_both() {
        assert_eq!(text(&slices(4, false)), "ABBAABBA");
        assert_eq!(text(&slices(3, false)), "ABBAABBA");
        assert_eq!(text(&slices(2, true)), "ABBAACCA");
        for part in [Part::Base, Part::Candidate] {
            let order = slices(10, false);
            let times = order.iter().enumerate().filter(|(_, it)| **it == part);
            let sum: usize = times.map(|(time, _)| time).sum();
            assert_eq!(sum * 2, (0..order.len()).sum::<usize>());
        }
    }

    #[test]
    fn pairs_are_neighbours_and_each_slice_is_in_one() {
        let order: Vec<(usize, Part)> = slices(4, true).into_iter().enumerate().collect();
        let found = pairs(&order, |(_, part)| part, Part::Candidate);
        let places: Vec<(usize, usize)> = found.iter().map(|(a, b)| (a.0, b.0)).collect();
        assert_eq!(places, [(0, 1), (3, 2), (8, 9), (11, 10)]);
        let controls = pairs(&order, |(_, part)| part, Part::Control);
        assert_eq!(controls.len(), 4);
        assert_eq!((controls[0].0.0, controls[0].1.0), (4, 5));
    }
}
