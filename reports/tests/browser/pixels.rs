//! Pictures as pixels: small ones of large ones, and how much two differ.
//!
//! Owns the tolerance. Must not know what is shown.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use crate::frames::Tile;

/// Pixels of a side that become one, so that the smoothing of edges does not count.
const BLOCK: u32 = 2;
/// Difference of a channel, of 255, from which a pixel counts as another one.
const OTHER: u8 = 40;
/// Share of a page's pixels that may be other ones.
pub(crate) const MOST_OTHER: f64 = 0.01;

/// Red, green and blue of each pixel.
#[derive(Clone)]
pub(crate) struct Pixels {
    width: u32,
    height: u32,
    bytes: Vec<u8>,
}

impl Pixels {
    /// Reads a picture of eight bits a channel.
    pub(crate) fn read(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = png::Decoder::new(BufReader::new(file))
            .read_info()
            .expect("the picture is a PNG");
        let mut bytes = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut bytes).expect("the picture is whole");
        bytes.truncate(info.buffer_size());
        let channels = info.color_type.samples();
        assert!(channels >= 3 && info.bit_depth == png::BitDepth::Eight);
        let bytes = bytes.chunks_exact(channels).flat_map(|it| it[..3].to_vec());
        Self {
            width: info.width,
            height: info.height,
            bytes: bytes.collect(),
        }
    }

    /// Writes a picture.
    pub(crate) fn write(&self, path: &Path) {
        let file = BufWriter::new(File::create(path).expect("the folder is writable"));
        let mut encoder = png::Encoder::new(file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Best);
        let mut writer = encoder.write_header().expect("the file takes bytes");
        writer
            .write_image_data(&self.bytes)
            .expect("the file takes bytes");
    }

    fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let start = ((y * self.width + x) * 3) as usize;
        [
            self.bytes[start],
            self.bytes[start + 1],
            self.bytes[start + 2],
        ]
    }

    /// The mean of every block.
    pub(crate) fn small(&self) -> Self {
        let (width, height) = (self.width / BLOCK, self.height / BLOCK);
        let mut bytes = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height {
            for x in 0..width {
                let mut sums = [0_u32; 3];
                for (dx, dy) in (0..BLOCK).flat_map(|dx| (0..BLOCK).map(move |dy| (dx, dy))) {
                    let pixel = self.at(x * BLOCK + dx, y * BLOCK + dy);
                    sums.iter_mut()
                        .zip(pixel)
                        .for_each(|(sum, it)| *sum += u32::from(it));
                }
                bytes.extend(sums.map(|sum| (sum / (BLOCK * BLOCK)) as u8));
            }
        }
        Self {
            width,
            height,
            bytes,
        }
    }

    /// A page of a small sheet.
    pub(crate) fn tile(&self, tile: &Tile) -> Self {
        let (left, top) = (tile.left / BLOCK, tile.top / BLOCK);
        let width = (tile.width / BLOCK).min(self.width.saturating_sub(left));
        let height = (tile.height / BLOCK).min(self.height.saturating_sub(top));
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let bytes = pixels.flat_map(|(x, y)| self.at(left + x, top + y));
        Self {
            width,
            height,
            bytes: bytes.collect(),
        }
    }

    /// Share of the pixels that are other ones than those of the reference.
    pub(crate) fn difference(&self, reference: &Self) -> f64 {
        if (self.width, self.height) != (reference.width, reference.height) {
            return 1.0;
        }
        let pixels = self
            .bytes
            .chunks_exact(3)
            .zip(reference.bytes.chunks_exact(3));
        let is_other = |(one, other): &(&[u8], &[u8])| {
            one.iter().zip(*other).any(|(a, b)| a.abs_diff(*b) > OTHER)
        };
        let other = pixels.filter(is_other).count();
        other as f64 / f64::from(self.width * self.height)
    }

    /// Shares of nearly white and nearly black pixels.
    pub(crate) fn brightness(&self) -> (f64, f64) {
        let share = |is: fn(u8) -> bool| {
            let pixels = self.bytes.chunks_exact(3);
            let found = pixels.filter(|it| it.iter().all(|channel| is(*channel)));
            found.count() as f64 / f64::from(self.width * self.height)
        };
        (share(|it| it > 220), share(|it| it < 60))
    }
}
