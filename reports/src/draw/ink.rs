//! Colours by what they mean, in a light and a dark version.
//!
//! Owns the palette and the style sheet made of it. Must not know which chart uses a colour.

use std::fmt::Write;

/// Number of colours that tell scenarios apart.
pub const SERIES: usize = 6;

/// Number of steps from few to many.
pub const HEAT: usize = 8;

/// What a colour stands for. Every ink has a light colour of its own, so that a picture drawn in
/// light colours can be given a style sheet afterwards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ink {
    /// Behind everything.
    Surface,
    /// Titles and values.
    Text,
    /// Axis labels and notes.
    Muted,
    /// Lines of a grid.
    Grid,
    /// The base line of an axis.
    Axis,
    /// A span of time that is set apart, such as warm-up.
    Shade,
    /// The scenario of that number, modulo [`SERIES`].
    Series(usize),
    /// What was planned, behind what happened.
    Plan,
    /// Something that must not happen.
    Error,
    /// Decided from the cache.
    Hit,
    /// Decided by asking the backend.
    Miss,
    /// Refused.
    Denied,
    /// Calls to the backend.
    Call,
    /// How many are in a cell, from few at 0 to many at [`HEAT`] - 1.
    Heat(usize),
}

/// Every ink once.
pub const ALL: [Ink; 18 + HEAT] = [
    Ink::Surface,
    Ink::Text,
    Ink::Muted,
    Ink::Grid,
    Ink::Axis,
    Ink::Shade,
    Ink::Series(0),
    Ink::Series(1),
    Ink::Series(2),
    Ink::Series(3),
    Ink::Series(4),
    Ink::Series(5),
    Ink::Plan,
    Ink::Error,
    Ink::Hit,
    Ink::Miss,
    Ink::Denied,
    Ink::Call,
    Ink::Heat(0),
    Ink::Heat(1),
    Ink::Heat(2),
    Ink::Heat(3),
    Ink::Heat(4),
    Ink::Heat(5),
    Ink::Heat(6),
    Ink::Heat(7),
];

impl Ink {
    /// Light and dark colour. The scenarios' colours are those of Okabe and Ito, which people with
    /// every kind of colour blindness tell apart; the dark ones are the same hues, lighter.
    fn colours(self) -> (u32, u32) {
        match self {
            Self::Surface => (0xFF_FFFF, 0x11_161C),
            Self::Text => (0x16_1B22, 0xE8_EDF3),
            Self::Muted => (0x57_606A, 0x9A_A6B2),
            Self::Grid => (0xE3_E7EB, 0x2A_323B),
            Self::Axis => (0x8C_959F, 0x5B_6672),
            Self::Shade => (0xEE_F1F4, 0x1B_222A),
            Self::Series(number) => match number % SERIES {
                0 => (0x00_72B2, 0x5A_B4EE),
                1 => (0xD5_5E00, 0xFF_8F4A),
                2 => (0x00_9E73, 0x35_CBA0),
                3 => (0xB8_5A93, 0xE7_9AC8),
                4 => (0xC4_8800, 0xF2_BE4B),
                _ => (0x3D_8FC4, 0x9A_D7FA),
            },
            Self::Plan => (0xC3_CAD2, 0x46_515D),
            Self::Error => (0xA4_0E26, 0xFF_6B78),
            Self::Hit => (0x0B_7A75, 0x4F_D1C5),
            Self::Miss => (0xE0_8A00, 0xFF_B23E),
            Self::Denied => (0x8E_44AD, 0xC9_8BE8),
            Self::Call => (0x3A_424B, 0xC4_CDD6),
            // More is further from the surface: darker by day, lighter by night.
            Self::Heat(step) => match step {
                0 => (0xDD_E9F3, 0x1C_3448),
                1 => (0xBA_D3E6, 0x1F_4A63),
                2 => (0x93_BBD8, 0x22_637C),
                3 => (0x6A_A0C9, 0x2A_7E91),
                4 => (0x45_83B6, 0x45_989E),
                5 => (0x2A_669D, 0x73_B3A6),
                6 => (0x17_4A7C, 0xAB_CDB0),
                _ => (0x0A_2F57, 0xF0_E9C0),
            },
        }
    }

    /// Red, green and blue on a light surface.
    pub fn light(self) -> (u8, u8, u8) {
        let [_, red, green, blue] = self.colours().0.to_be_bytes();
        (red, green, blue)
    }

    /// Name of the colour in style sheets.
    pub fn name(self) -> String {
        match self {
            Self::Surface => "surface".into(),
            Self::Text => "text".into(),
            Self::Muted => "muted".into(),
            Self::Grid => "grid".into(),
            Self::Axis => "axis".into(),
            Self::Shade => "shade".into(),
            Self::Series(number) => format!("series-{}", number % SERIES),
            Self::Plan => "plan".into(),
            Self::Error => "error".into(),
            Self::Hit => "hit".into(),
            Self::Miss => "miss".into(),
            Self::Denied => "denied".into(),
            Self::Call => "call".into(),
            Self::Heat(step) => format!("heat-{}", step.min(HEAT - 1)),
        }
    }

    /// The light colour as it stands in a drawing, `#RRGGBB`.
    pub fn hex(self) -> String {
        format!("#{:06X}", self.colours().0)
    }
}

/// Custom properties of every ink, and the classes that pictures refer to them by.
pub fn style_sheet() -> String {
    let (mut light, mut dark, mut classes) = (String::new(), String::new(), String::new());
    for ink in ALL {
        let (name, (day, night)) = (ink.name(), ink.colours());
        let _ = write!(light, "--{name}:#{day:06x};");
        let _ = write!(dark, "--{name}:#{night:06x};");
        let _ = writeln!(
            classes,
            ".f-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}"
        );
    }
    format!(
        ":root{{color-scheme:light dark;{light}}}\n\
         @media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n\
         {classes}polyline{{stroke-linejoin:round;stroke-linecap:round}}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_inks_share_a_light_colour() {
        let colours: BTreeSet<String> = ALL.iter().map(|ink| ink.hex()).collect();
        assert_eq!(colours.len(), ALL.len());
    }

    /// Contrast ratio of WCAG 2.
    fn contrast(a: u32, b: u32) -> f64 {
        let luminance = |colour: u32| {
            let [_, r, g, b] = colour.to_be_bytes();
            let linear = |channel: u8| {
                let c = f64::from(channel) / 255.0;
                if c <= 0.040_45 {
                    c / 12.92
                } else {
                    ((c + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_lines_stand_out_from_the_surface_in_both_themes() {
        let (day, night) = Ink::Surface.colours();
        for ink in ALL {
            let least = match ink {
                Ink::Text | Ink::Muted => 4.5,
                Ink::Surface | Ink::Grid | Ink::Shade | Ink::Plan | Ink::Axis => continue,
                Ink::Miss | Ink::Series(_) => 2.6,
                // The faintest cells are few requests and are to look like it; the rest stands out.
                Ink::Heat(step) => [1.15, 1.15, 1.15, 2.0, 3.0, 4.0, 5.0, 6.0][step],
                _ => 3.0,
            };
            let (light, dark) = ink.colours();
            assert!(contrast(light, day) >= least, "{ink:?} on light");
            assert!(contrast(dark, night) >= least, "{ink:?} on dark");
        }
    }
}
