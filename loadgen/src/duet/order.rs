//! Whose turn it is.
//!
//! Owns the order of slices and which of them are compared. Must not know what a slice measures.
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

/// The quartets of base and `other` among slices in the order of [`slices`], each as the two slices of base and
/// the two of `other`.
///
/// A slice whose Envoy was loaded in the slice before costs another than one whose Envoy comes from waiting, by
/// up to 15 %. A quartet has one of each on both sides; a pair has one of each, on different sides, and half of
/// all pairs would err in one direction and half in the other.
pub fn quartets<T: Copy>(
    slices: &[T],
    part: impl Fn(T) -> Part,
    other: Part,
) -> Vec<([T; 2], [T; 2])> {
    slices
        .chunks_exact(4)
        .map(|quartet| ([quartet[0], quartet[3]], [quartet[1], quartet[2]]))
        .filter(|(base, candidate)| {
            base.iter().all(|it| part(*it) == Part::Base)
                && candidate.iter().all(|it| part(*it) == other)
        })
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
    fn each_slice_is_in_one_quartet_with_one_that_went_on_and_one_that_waited_on_either_side() {
        let order: Vec<(usize, Part)> = slices(4, true).into_iter().enumerate().collect();
        let found = quartets(&order, |(_, part)| part, Part::Candidate);
        let places = |of: &[(usize, Part); 2]| of.map(|(place, _)| place);
        let found: Vec<_> = found.iter().map(|(a, b)| (places(a), places(b))).collect();
        assert_eq!(found, [([0, 3], [1, 2]), ([8, 11], [9, 10])]);
        let controls = quartets(&order, |(_, part)| part, Part::Control);
        assert_eq!(controls.len(), 2);
        assert_eq!(places(&controls[0].0), [4, 7]);
    }
}
