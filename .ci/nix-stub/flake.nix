# Stands in for nixpkgs where its sources are out of reach: enough of its functions for every
# output of the project's flake to be evaluated, none of its packages. See default.nix.
{
  outputs =
    { self }:
    {
      lib.genAttrs =
        names: build:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = build name;
          }) names
        );
    };
}
