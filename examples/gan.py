"""A generative adversarial network, by the game of 2014 and by the one that is the default here.

Corrects a tutorial whose two players are given one and the same loss, which both lower: so they work together, and
there is no game. Nor is there a player: the critic never sees a real picture, the layers are made anew at each call,
and the generator is fed pictures where it should get noise. In a game each player lowers a loss of its own
(Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014), with x a real picture, G(z) one made of noise, and
D(x) the chance that the critic C gives x of being real, the sigmoid of C(x):

    critic     -log D(x) - log(1 - D(G(z)))
    generator   log(1 - D(G(z)))

Type
    python examples/gan.py

and see this game, "minimax", beside the relativistic one with both gradient penalties (Huang et al., "The GAN is dead;
long live the GAN!", NeurIPS 2024). Minimax gives the generator hardly any direction as long as the critic is sure of
itself, which it is from the first steps on; and it may circle about its solution for ever. The relativistic game asks
whether one picture looks more real than another, and converges. A GAN needs many steps: what it draws is noise at
first, and gets better for longer than any other model's samples.
"""

from __future__ import annotations

import math

from common import arguments, halves, pictures, samples_table, sheets

from isthmus import GAN


def main() -> None:
    """Play both games, and compare what they draw."""
    options = arguments(__doc__, epochs=20)
    train, test = pictures(options.data)
    wanted = len(halves(test)[1])
    drawn, critic, generator = {}, {}, {}
    for loss in ("minimax", "relativistic"):
        model = GAN(
            loss=loss, network="dense", hidden=(256, 256), latent_dim=64, max_epochs=options.epochs, random_state=0
        )
        drawn[loss] = model.fit(train).sample(wanted, random_state=0)
        critic[loss] = model.history_[-1]["train_critic_loss"]
        generator[loss] = model.history_[-1]["train_generator_loss"]

    captions = samples_table(train, test, drawn, critic=critic, generator=generator)
    print("A critic that cannot tell real from new has a loss of")
    print(f"{2 * math.log(2):.2f} in the minimax game and of {math.log(2):.2f} in the relativistic one.\n")
    shown = {"held-out pictures": halves(test)[1].array} | drawn
    captions = {name: f"Frechet distance {captions[name]}" for name in shown}
    sheets(
        {name: images[:48] for name, images in shown.items()}, options.output / "gan.png", columns=6, captions=captions
    )


if __name__ == "__main__":
    main()
