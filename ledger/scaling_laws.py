"""The register's claims about neural scaling laws.

Checked in spectra.py, ridge.py, width.py, resolution.py, sphere.py, digits.py, learning.py, lasso.py and spread.py.
"""

from __future__ import annotations

from typing import Final

from powercount.ledger.claim import HERE, SECOND_HAND, Claim

BAHRI: Final = "Explaining Neural Scaling Laws (arXiv 2102.06701)"
MALONEY: Final = "Maloney, Roberts and Sully (arXiv 2210.16859)"
FEATURE_LEARNING: Final = "Bordelon, Atanasov and Pehlevan (arXiv 2409.17858)"
DYNAMICAL: Final = "Bordelon, Atanasov and Pehlevan (arXiv 2402.01092)"
NARROW: Final = "Vyas et al. (arXiv 2305.18411); Bordelon and Pehlevan (arXiv 2304.03408)"
DEFILIPPIS: Final = "Defilippis et al. (arXiv 2509.24882)"
ELSHARKAWY: Final = "Elsharkawy, Kahn and Hooberman (arXiv 2503.05938)"
SPECTRA_TEST: Final = "tests/laws/scaling_laws/test_exponents_kernel_spectra.py"
VARIANCE_TEST: Final = "tests/laws/scaling_laws/test_exponents_variance_limited.py"
WIDTH_TEST: Final = "tests/laws/scaling_laws/test_exponents_width_variance.py"
RESOLUTION_TEST: Final = "tests/laws/scaling_laws/test_exponents_resolution_limited.py"
DIGITS_TEST: Final = "tests/laws/scaling_laws/test_exponents_digits.py"
NARROW_TEST: Final = "tests/laws/scaling_laws/test_exponents_finite_width_and_data.py"
LASSO_TEST: Final = "tests/laws/scaling_laws/test_exponents_lasso.py"
LEARNING_TEST: Final = "tests/laws/scaling_laws/test_exponents_feature_learning.py"

SCALING_LAWS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L1",
        source=BAHRI,
        summary="the data exponent of a kernel is that of its spectrum",
        statement="eigenvalues k^(-(1 + a)), white target: L(D) ~ D^(-a), alpha_D = alpha_K",
        conditions="a = 1/4, 1/2, 1, 2; D = 64..512; 2048 modes, the tail carried as ridge",
        check="spectra:l1",
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L2",
        source=BAHRI,
        summary="the feature exponent is that of the spectrum too, for samples and features exchange",
        statement="L(P) ~ P^(-a), alpha_P = alpha_K; L(Z, G) = L(G, Z) sample by sample",
        conditions="white target; identity for any spectrum, size and ridge; students of P = 32..128 on 4 P samples",
        check="spectra:l2",
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L2'",
        source=BAHRI,
        summary="on real images too data, features and spectrum have one exponent",
        statement="alpha_D = alpha_P = alpha_K, to an eighth, for ReLU features of digits",
        conditions="white targets on scikit-learn's digits of 64, 32 and 16 pixels; D, P and ranks 64..512 of 1797;"
        " all 1797 are the tests, those trained on among them",
        check="digits:l2_digits",
        test=DIGITS_TEST,
        marks=("the spectrum of digits is no power law",),
    ),
    Claim(
        id="L3",
        source=BAHRI,
        summary="with more data than features the loss is variance-limited in data",
        statement="L(D, P) - L(P) ~ 1/D, exactly P/(D - P - 1) of L(P); E L(D) - L(infinity) ~ 1/D for a fixed net",
        conditions="white target, a = 1, P = 32, D - P - 1 = 16..256; tanh net of width 8, D = 64..1024 of 512 points",
        check="spectra:l3",
        test=VARIANCE_TEST,
    ),
    Claim(
        id="L4",
        source=BAHRI,
        summary="with more features than data the loss is variance-limited in features",
        statement="L(D, P) - L(D) ~ 1/P; exactly D/(P - D - 1) of L(D)",
        conditions="white target, a = 1, D = 32, P - D - 1 = 16..256, paired on the same samples",
        check="spectra:l4",
        test=VARIANCE_TEST,
    ),
    Claim(
        id="L5",
        source=BAHRI,
        summary="a wide network is variance-limited in its width",
        statement="Var over initializations of a trained f - f_0 ~ 1/n",
        conditions="one hidden layer, tanh, 24 points on a sphere, 20 steps; NTK and muP; n = 64..1024",
        check="width:l5",
        test=WIDTH_TEST,
    ),
    Claim(
        id="L6",
        source=HERE,
        summary="under NTK a network that is not centred keeps the variance of its start",
        statement="Var over initializations of a trained f ~ n^0",
        conditions="as L5, NTK, f in place of f - f_0",
        check="width:l6",
        test=WIDTH_TEST,
    ),
    Claim(
        id="L7",
        source=BAHRI,
        summary="a Lipschitz loss of data on a d-dimensional manifold falls at least as D^(-1/d)",
        statement="|f - f_D| ~ D^(-1/d) for a nearest neighbour, which attains the bound (theorem)",
        conditions="the unit cube, d = 1..4, a smooth target, test points away from borders",
        check="resolution:l7",
        test=RESOLUTION_TEST,
    ),
    Claim(
        id="L8",
        source=BAHRI,
        summary="a smooth loss doubles the exponent, a piecewise-linear model under it doubles it again",
        statement="L ~ D^(-2/d) for a nearest neighbour, D^(-4/d) piecewise linear (estimates)",
        conditions="as L7; mean square; linear interpolation on a triangulation",
        check="resolution:l8",
        test=RESOLUTION_TEST,
    ),
    Claim(
        id="L9",
        source=f"{BAHRI}, after Weyl and Kuehn",
        summary="a kernel whose first odd power is t on an m-dimensional manifold has the data exponent t/m",
        statement="ReLU networks on S^m: alpha_D = alpha_K = 3/m (NNGP kernel), 1/m (NTK)",
        conditions="m = 2, uniform points, targets drawn from the kernel; D = 64..1024",
        check="sphere:l9",
        test="tests/laws/scaling_laws/test_exponents_arc_cosine_kernels.py",
    ),
    Claim(
        id="L10",
        source=BAHRI,
        summary="joining classes leaves the data exponent as it is, noise on the inputs lowers it",
        statement="alpha_D of fewer, larger classes = alpha_D, to an eighth; alpha_D with input noise < alpha_D",
        conditions="the kernel analogue of their networks: digits, ReLU kernel, D = 64..512, paired draws",
        check="digits:l10",
        test=DIGITS_TEST,
    ),
    Claim(
        id="L11",
        source=MALONEY,
        summary="one law for data and features, symmetric in the two, up to the latent dimension",
        statement="L(D, P) = m kappa_m (M - 1)/(M - m - 1), m the smaller, M the larger; 0 beyond the latent dimension",
        conditions="white target, a = 1, 512 modes, three pairs of sizes and their mirror images; 48 modes beyond",
        check="spectra:l11",
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L12",
        source=HERE,
        summary="any spectrum, target, ridge and noise has its test error in one closed set of equations",
        statement="E = (g - kappa_1 g' kappa_2' + s2)/(1 - gamma_1)",
        conditions="240 drawn settings: sizes 24 to 190 at least 8 apart, capacity 1.25 to 3, source 1.2 to 4",
        check="ridge:l12",
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L13",
        source=DYNAMICAL,
        summary="source and capacity give the data exponent",
        statement="lambda_k = k^(-b), lambda_k w_k^2 = k^(-a): L ~ D^(-min(a - 1, 2 b))",
        conditions="(a, b) = (2, 2), (2, 3/2), (6, 3/2); D = 16..128, no ridge",
        check="spectra:l13",
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L13'",
        source=HERE,
        summary="on real images the classes' exponents are those of all eigenvalues and of their share in each",
        statement="alpha_D, alpha_P of the ten classes = those of the deterministic equivalent, to an eighth",
        conditions="as L2', the ten classes less their means; alpha_K alone errs by up to a half",
        check="digits:l13_digits",
        test=DIGITS_TEST,
    ),
    Claim(
        id="L14",
        source=DYNAMICAL,
        summary="the feature exponent is the data exponent",
        statement="L ~ P^(-min(a - 1, 2 b)) as quoted; derived here P^(-min(a - 1, b))",
        conditions="(a, b) = (2, 2), (2, 3/2), (6, 3/2); P = 16..128, infinitely many samples",
        check="spectra:l14",
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L15",
        source=DYNAMICAL,
        summary="without feature learning the loss is a power of training time set by target and capacity",
        statement="L(t) ~ t^(-(a - 1)/b) for lambda_k ~ k^(-b), lambda_k w_k^2 ~ k^(-a)",
        conditions="gradient flow, infinite data; three (a, b) with all modes summed; t = 1e4 to 1e6 and 1e16 to 1e18",
        check="learning:l15",
        test=LEARNING_TEST,
    ),
    Claim(
        id="L16",
        source=FEATURE_LEARNING,
        summary="feature learning speeds up the power law of time on hard tasks",
        statement="L(t) ~ t^(-chi), chi = beta max(1, 2/(1 + beta)): 2 beta/(1 + beta) for beta < 1, if gamma > 0",
        conditions="two-layer linear net, reduced (beta = 1/4, 1/2, 3/4; gamma = 1, 100) or of 28 modes (gamma = 1)",
        check="learning:l16",
        test=LEARNING_TEST,
    ),
    Claim(
        id="L17",
        source=FEATURE_LEARNING,
        summary="feature learning leaves the power law of time of easy tasks alone",
        statement="L(t) ~ t^(-chi), chi = beta max(1, 2/(1 + beta)): beta for beta > 1, whatever gamma",
        conditions="reduced flow (beta = 3/2, 2; gamma = 0, 1, 100) and a net of 28 modes (beta = 3/2, gamma = 1)",
        check="learning:l17",
        test=LEARNING_TEST,
    ),
    Claim(
        id="L18",
        source=FEATURE_LEARNING,
        summary="the compute-optimal exponent follows from those of time and size",
        statement="min over N of L(N, C/N) ~ C^(-alpha beta chi/(alpha beta + chi)), chi as in L16; beta lazily",
        conditions="N modes kept, C = N t; alpha = 2, 3; beta = 1/4 to 3/2; gamma = 0 and 1; C = 1e10 to 1e19",
        check="learning:l18",
        test=LEARNING_TEST,
    ),
    Claim(
        id="L19",
        source=HERE,
        summary="a two-layer linear net from an orthogonal start is exactly a flow of one vector",
        statement="Q Q^T - gamma p p^T = I; v' = -[(1 + gamma s) I + gamma s qhat qhat^T] Lambda v",
        conditions="12 modes k^(-2), Gaussian target, torch gradients; gamma = 0, 1, 100; t to 10; integrator at 1e-12",
        check="learning:l19",
        test=LEARNING_TEST,
    ),
    Claim(
        id="L20",
        source=NARROW,
        summary="narrow networks exceed the loss of the infinite one by 1/n; an ensemble of them keeps a bias of 1/n",
        statement="E L(n) - L(infinity) ~ 1/n; E f_n - f_infinity ~ 1/n, whose square is n^(-2)",
        conditions="L5's nets, centred, 5 steps at half the rate; n = 64..512 of 1024 units; limits off by halves",
        check="width:l20",
        test=NARROW_TEST,
        marks=(SECOND_HAND,),
    ),
    Claim(
        id="L22",
        source=DEFILIPPIS,
        summary="at its best weight decay a diagonal linear net learns at a rate set by its target's decay",
        statement="theta_k = k^(-gamma), s2 > 0, n << d^(2 gamma): min over lambda of R ~ n^(-1 + 1/(2 gamma))",
        conditions="gamma = 1, 3/2, 2; n = 64..512, d = 1024, to the order 1/n; state evolution at d = 1e9, 1e24",
        check="lasso:l22",
        test=LASSO_TEST,
        marks=(SECOND_HAND,),
    ),
    Claim(
        id="L22'",
        source=HERE,
        summary="the rate at the best weight decay carries a power of log d",
        statement="p = 1 - 1/(2 gamma): R -> (alpha^2 s2/n)^p/p, alpha^2 + 3 log alpha^2 -> 2 log(d/k_t) + log(2/pi)",
        conditions="k_t^(-2 gamma) = alpha^2 s2/n; gamma = 1, 3/2, 2; state evolution, d = 1e12 to 1e48, n = d^(1/2)",
        check="lasso:l22_logarithm",
        test=LASSO_TEST,
    ),
    Claim(
        id="L23",
        source=DEFILIPPIS,
        summary="a small weight decay peaks at interpolation, and beyond the peak learns as least squares",
        statement="n = d: R ~ lambda^(-2/3), here s2 + R -> (pi/32)^(1/3) s2^(4/3) lambda^(-2/3); n >> d: R ~ d/n",
        conditions="s2 = 1/2, gamma = 1; n = d = 128, lambda = 1/64..1/4; n = 4..16 d, d = 64; limits at lambda = 1e-6",
        check="lasso:l23",
        test=LASSO_TEST,
        marks=(SECOND_HAND,),
    ),
    Claim(
        id="L24",
        source=ELSHARKAWY,
        summary="the spread of the test loss over initializations is a fixed share of its mean",
        statement="sigma/mu ~ D^0 at large D; derived here D^(-e), e = 2 b + 1 - a held between 0 and 1/2",
        conditions="infinite width: kernels k^(-b), starts k^(-a), e = 0, 1/4, 1/2, D = 16..128; digits under NTK, "
        "D = 32..512",
        check="spread:l24",
        test="tests/laws/scaling_laws/test_exponents_loss_spread.py",
    ),
)
