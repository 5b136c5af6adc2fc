# What `import nixpkgs { system; overlays; }` gives in the stub. Every attribute that a derivation
# is given is evaluated, so that a misspelt package or file is found.
{ system, overlays }:
let
  derivation' =
    attributes:
    builtins.deepSeq (removeAttrs attributes [ "src" ]) (
      builtins.seq (attributes.src or null) (
        builtins.derivation {
          name = "${attributes.pname or attributes.name or "stub"}-${attributes.version or "0"}";
          inherit system;
          builder = "/bin/sh";
        }
      )
    );
  overridable =
    attributes: derivation' attributes // { overrideAttrs = more: overridable (attributes // more); };
  package = name: derivation' { inherit name; };
  base = {
    makeRustPlatform =
      { cargo, rustc }:
      {
        buildRustPackage =
          attributes:
          overridable (
            attributes
            // {
              inherit cargo rustc;
              lock = builtins.pathExists attributes.cargoLock.lockFile || throw "no Cargo.lock";
            }
          );
      };
    stdenv.mkDerivation = overridable;
    fetchPypi = { hash, ... }@attributes: derivation' attributes;
    mkShell = attributes: derivation' ({ name = "shell"; } // attributes);
    unzip = package "unzip";
    autoPatchelfHook = package "auto-patchelf-hook";
    cargo-deny = package "cargo-deny";
    cargo-nextest = package "cargo-nextest";
    chromium = package "chromium";
    python3 = package "python3";
    redis = package "redis";
    valgrind = package "valgrind";
  };
in
builtins.foldl' (pkgs: overlay: pkgs // overlay pkgs pkgs) base overlays
