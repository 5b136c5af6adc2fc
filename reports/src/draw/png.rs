//! A picture as a PNG file, for places that show no SVG.
//!
//! Owns how pixels are smoothed. Must not know what is drawn.

use std::path::Path;

use plotters::prelude::*;

use super::paint::{PaintError, Surface, paint};
use super::picture::Picture;
use super::text::LINE_HEIGHT_EM;

/// The bitmap backend draws hard edges and sets letters on whole pixels; drawing this many times
/// larger and averaging gives smooth ones.
const OVERSAMPLING: i32 = 2;

/// Draws the picture in light colours into a file.
pub fn write(picture: &Picture, path: &Path) -> Result<(), PaintError> {
    let (width, height) = (picture.width.unsigned_abs(), picture.height.unsigned_abs());
    let factor = OVERSAMPLING.unsigned_abs();
    let mut large = vec![0; (width * height * factor * factor * 3) as usize];
    {
        let size = (width * factor, height * factor);
        let mut backend = BitMapBackend::with_buffer(&mut large, size);
        let surface = Surface {
            scale: OVERSAMPLING,
            font_size_em: LINE_HEIGHT_EM,
            // This backend puts the base line half a font size below the place of a text.
            ascent_em: LINE_HEIGHT_EM / 2.0,
        };
        paint(picture, &mut backend, surface)?;
    }
    let small = average(&large, width as usize, height as usize, factor as usize);
    let mut file = BitMapBackend::new(path, (width, height));
    file.blit_bitmap((0, 0), (width, height), &small)
        .map_err(PaintError::new)?;
    file.present().map_err(PaintError::new)
}

/// Every pixel becomes the mean of `factor` by `factor` pixels of red, green and blue.
fn average(large: &[u8], width: usize, height: usize, factor: usize) -> Vec<u8> {
    let row = width * factor * 3;
    let mut small = Vec::with_capacity(width * height * 3);
    let mut sums = vec![0_usize; width * 3];
    for rows in large.chunks_exact(row * factor) {
        sums.fill(0);
        for pixels in rows.chunks_exact(row) {
            for (pixel, sum) in pixels
                .chunks_exact(3 * factor)
                .zip(sums.chunks_exact_mut(3))
            {
                for channels in pixel.chunks_exact(3) {
                    sum.iter_mut()
                        .zip(channels)
                        .for_each(|(sum, c)| *sum += usize::from(*c));
                }
            }
        }
        small.extend(sums.iter().map(|sum| (sum / (factor * factor)) as u8));
    }
    debug_assert_eq!(small.len(), width * height * 3);
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averaging_keeps_flat_colour_and_mixes_edges() {
        let white_black = [255, 255, 255, 0, 0, 0];
        let large: Vec<u8> = [white_black, white_black].concat();
        assert_eq!(average(&large, 1, 1, 2), [127, 127, 127]);
        assert_eq!(average(&[9; 4 * 4 * 3], 2, 2, 2), [9; 12]);
    }
}
